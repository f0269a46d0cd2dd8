#include "policies/list.h"

namespace spillway {

// Each name here is that of a file in eviction/ or prefetch/.
namespace eviction {
EvictionPlugin lru(), fifo(), lfu(), layer_lru(), clock(), sieve(), s3fifo(), arc(), wtinylfu(),
    least_stale(), random(), belady();
}
namespace prefetch {
PrefetchPlugin none(), last_token(), popular(), markov(), recorded(), router(), oracle();
}

const EvictionFamily& eviction_policies() {
  using namespace eviction;
  static const EvictionFamily family(
      "eviction policy", {lru(), fifo(), lfu(), layer_lru(), clock(), sieve(), s3fifo(), arc(), wtinylfu(),
                          least_stale(), random(), belady()});
  return family;
}

const PrefetchFamily& prefetchers() {
  using namespace prefetch;
  static const PrefetchFamily family(
      "prefetcher", {none(), last_token(), popular(), markov(), recorded(), router(), oracle()});
  return family;
}

}  // namespace spillway
