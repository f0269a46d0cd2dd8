#include "policies/list.h"

#include <array>

namespace spillway {

// Each name here is that of a file in eviction/ or prefetch/.
namespace eviction {
EvictionPlugin lru(), fifo(), lfu(), layer_lru(), clock(), sieve(), s3fifo(), arc(), wtinylfu(),
    least_stale(), random(), belady();
}
namespace prefetch {
PrefetchPlugin none(), last_token(), popular(), markov(), recorded(), router(), oracle();
}

std::span<const EvictionPlugin> eviction_policies() {
  using namespace eviction;
  static const std::array list = {lru(),    fifo(), lfu(),      layer_lru(),   clock(),  sieve(),
                                  s3fifo(), arc(),  wtinylfu(), least_stale(), random(), belady()};
  return list;
}

std::span<const PrefetchPlugin> prefetchers() {
  using namespace prefetch;
  static const std::array list = {none(), last_token(), popular(), markov(), recorded(), router(), oracle()};
  return list;
}

}  // namespace spillway
