#include <cerrno>

#include "backends/store_files.h"
#include "backends/worker_pool.h"
#include "core/plugins.h"

namespace spillway::backend {
namespace {

struct PreadOptions {
  bool direct = false;
  uint32_t threads = 8;
  uint32_t depth = 64;

  template <class V>
  void visit(V& v) {
    v("direct", direct, "read with O_DIRECT, past the page cache");
    v("threads", threads, "threads that read");
    v("depth", depth, "requests accepted at a time; those beyond the number of threads wait their turn");
  }
};

IoDone read(const StoreFiles& store, const IoRequest& request) {
  IoDone done = {.tag = request.tag, .data = request.destination};
  const ReadExtent extent = read_extent(store, request.range);
  if (extent.error != 0) {
    done.error = extent.error;
    return done;
  }
  const ReadOutcome outcome = read_at(store.files[request.range.file].handle.get(),
                                      {request.destination, extent.ask}, request.range.offset, extent.need);
  done.error = outcome.error;
  if (done.error == 0 && outcome.bytes < extent.need) {
    done.error = EIO;  // the file has shrunk since it was opened
  }
  return done;
}

class PreadBackend final : public Backend {
 public:
  PreadBackend(const PreadOptions& options, const std::shared_ptr<const StoreFiles>& store)
      : pool_(options.threads, options.depth, *store,
              [store](const IoRequest& request) { return read(*store, request); }) {
    caps_.alignment = store->alignment;
    caps_.depth = options.depth;
    caps_.note = fmt::format("{}, {} threads", options.direct ? "O_DIRECT" : "through the page cache",
                             pool_.threads());
  }

  const BackendCaps& caps() const override { return caps_; }
  Result<void> attach(std::span<std::byte>) override { return {}; }
  size_t submit(std::span<const IoRequest> requests) override { return pool_.submit(requests); }
  size_t reap(std::span<IoDone> out, size_t at_least) override {
    const size_t count = pool_.reap(out, at_least);
    caps_.fault = pool_.fault();
    return count;
  }

 private:
  BackendCaps caps_;
  WorkerPool pool_;
};

Result<std::unique_ptr<Backend>> make(const PreadOptions& options, const BackendEnv& env) {
  if (Result<void> sane = check_pool("pread", options.threads, options.depth); !sane) {
    return propagate(sane);
  }
  Result<StoreFiles> store = open_store_files(env.files, options.direct);
  if (!store) {
    return propagate(store);
  }
  return std::make_unique<PreadBackend>(options, std::make_shared<StoreFiles>(std::move(*store)));
}

}  // namespace

BackendPlugin pread() {
  return plugin<Backend, BackendEnv, PreadOptions>(
      "pread", "threads that call pread(), through the page cache or past it", make,
      [](const PreadOptions& options) { return Traits{.is_direct = options.direct}; });
}

}  // namespace spillway::backend
