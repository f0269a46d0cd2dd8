#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "backends/mapped_files.h"
#include "backends/worker_pool.h"
#include "core/plugins.h"

namespace spillway::backend {
namespace {

struct MmapOptions {
  std::string advice = "normal";
  uint32_t threads = 8;
  uint32_t depth = 64;

  template <class V>
  void visit(V& v) {
    v("advice", advice, "madvise() advice for the mapping: normal, random, sequential, willneed or populate");
    v("threads", threads, "threads that take the page faults");
    v("depth", depth, "requests accepted at a time; those beyond the number of threads wait their turn");
  }
};

struct Advice {
  const char* name;
  int for_all;    // given once, for the whole mapping
  int for_range;  // given for each request before it is touched; MADV_NORMAL: none
};

constexpr std::array<Advice, 5> kAdvice = {{{"normal", MADV_NORMAL, MADV_NORMAL},
                                            {"random", MADV_RANDOM, MADV_NORMAL},
                                            {"sequential", MADV_SEQUENTIAL, MADV_NORMAL},
                                            {"willneed", MADV_NORMAL, MADV_WILLNEED},
                                            {"populate", MADV_NORMAL, MADV_POPULATE_READ}}};

// Maps the store by ordinary pages. Worker threads take the page faults, so that a completed request is in
// memory. Pages that the kernel evicts later fault again where they are used.
class MmapBackend final : public Backend {
 public:
  MmapBackend(const MmapOptions& options, const Advice& advice, std::shared_ptr<const MappedFiles> mapped)
      : mapped_(std::move(mapped)),
        pool_(options.threads, options.depth, mapped_->store(),
              [files = mapped_, &advice](const IoRequest& request) {
                return fault_in(*files, advice, request);
              }) {
    caps_.depth = options.depth;
    caps_.zero_copy = true;
    caps_.note =
        fmt::format("page cache mapped, advice {}, {} threads take the faults", advice.name, pool_.threads());
  }

  const BackendCaps& caps() const override { return caps_; }
  Result<void> attach(std::span<std::byte>) override { return {}; }
  size_t submit(std::span<const IoRequest> requests) override { return pool_.submit(requests); }
  size_t reap(std::span<IoDone> out, size_t at_least) override {
    const size_t count = pool_.reap(out, at_least);
    caps_.fault = pool_.fault();
    return count;
  }
  void release(const ByteRange& range) override { mapped_->release(range); }

 private:
  static IoDone fault_in(const MappedFiles& mapped, const Advice& advice, const IoRequest& request) {
    const ReadExtent extent = read_extent(mapped.store(), request.range);
    IoDone done = {.tag = request.tag, .error = extent.error};
    if (extent.error != 0 || extent.need == 0) {
      return done;
    }
    if (advice.for_range != MADV_NORMAL) {
      // The result is ignored: where the kernel cannot follow the advice, touching the pages brings the
      // bytes or the error.
      mapped.advise(request.range, advice.for_range, kPage);
    }
    done.error = mapped.touch(request.range);
    done.data = mapped.at(request.range);
    return done;
  }

  static constexpr uint64_t kPage = 4 * kKiB;

  BackendCaps caps_;
  const std::shared_ptr<const MappedFiles> mapped_;
  WorkerPool pool_;
};

Result<std::unique_ptr<Backend>> make(const MmapOptions& options, const BackendEnv& env) {
  const auto advice = std::find_if(kAdvice.begin(), kAdvice.end(),
                                   [&](const Advice& entry) { return entry.name == options.advice; });
  if (advice == kAdvice.end()) {
    return wrong_usage("mmap: advice={} is unknown; choose normal, random, sequential, willneed or populate",
                       options.advice);
  }
  if (Result<void> sane = check_pool("mmap", options.threads, options.depth); !sane) {
    return propagate(sane);
  }
  Result<StoreFiles> store = open_store_files(env.files, false);
  if (!store) {
    return propagate(store);
  }
  Result<MappedFiles> mapped = MappedFiles::map(std::move(*store));
  if (!mapped) {
    return propagate(mapped);
  }
  if (const int error = mapped->advise_all(advice->for_all); error != 0) {
    return unavailable("mmap: the kernel refused advice={}: {}; use advice=normal", options.advice,
                       error_text(error));
  }
  return std::make_unique<MmapBackend>(options, *advice, std::make_shared<MappedFiles>(std::move(*mapped)));
}

}  // namespace

BackendPlugin mmap() {
  return plugin<Backend, BackendEnv, MmapOptions>(
      "mmap", "the store mapped into memory: no copy; the kernel's page cache is the cache", make);
}

}  // namespace spillway::backend
