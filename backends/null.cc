#include "backends/instant_queue.h"
#include "backends/worker_pool.h"
#include "core/plugins.h"

namespace spillway::backend {
namespace {

struct NullOptions {
  uint32_t depth = 64;

  template <class V>
  void visit(V& v) {
    v("depth", depth, "requests in flight");
  }
};

// Completes every request without reading. The remaining time of a run is the cost of the program itself.
class NullBackend final : public Backend {
 public:
  explicit NullBackend(const NullOptions& options) : done_(options.depth) {
    caps_.depth = options.depth;
    caps_.carries_bytes = false;
    caps_.note = "no I/O: measures the program itself";
  }

  const BackendCaps& caps() const override { return caps_; }

  Result<void> attach(std::span<std::byte>) override { return {}; }

  size_t submit(std::span<const IoRequest> requests) override {
    const size_t accepted = std::min(requests.size(), done_.room());
    for (const IoRequest& request : requests.first(accepted)) {
      done_.push({.tag = request.tag});
    }
    return accepted;
  }

  size_t reap(std::span<IoDone> out, size_t at_least) override { return done_.reap(out, at_least); }

 private:
  BackendCaps caps_;
  InstantQueue done_;
};

Result<std::unique_ptr<Backend>> make(const NullOptions& options, const BackendEnv&) {
  if (Result<void> sane = check_pool("null", 1, options.depth); !sane) {
    return propagate(sane);
  }
  return std::make_unique<NullBackend>(options);
}

}  // namespace

BackendPlugin null() {
  return plugin<Backend, BackendEnv, NullOptions>("null", "completes at once and reads nothing", make,
                                                  {.does_nothing = true});
}

}  // namespace spillway::backend
