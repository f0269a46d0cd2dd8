#include <sys/mman.h>

#include <cerrno>

#include "backends/instant_queue.h"
#include "backends/mapped_files.h"
#include "backends/staged_copy.h"
#include "backends/worker_pool.h"
#include "core/plugins.h"
#include "host/linux/page_memory.h"

// MADV_COLLAPSE (Linux 6.1) is newer than the libc headers of Debian 12.
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

namespace spillway::backend {
namespace {

struct HugepageOptions {
  bool stage = false;
  bool strict = false;
  uint32_t threads = 8;
  uint32_t depth = 64;

  template <class V>
  void visit(V& v) {
    v("stage", stage, "copy the whole store into huge pages first: the RAM tier");
    v("strict", strict, "fail if the kernel gives no huge pages");
    v("threads", threads, "threads that take the page faults, or that copy the store");
    v("depth", depth, "requests accepted at a time");
  }
};

// The kernel's answer to the request to map the files by huge pages.
struct FileHugePages {
  bool mapped = false;       // a trial page became huge, by itself or collapsed
  bool collapsible = false;  // MADV_COLLAPSE makes huge pages of small ones
  std::string note;
};

// Describes how the trial page became huge, or that it did not. Pages can become huge when they are first
// touched, after MADV_HUGEPAGE, or when MADV_COLLAPSE joins small ones; the text reports the answers to both.
// One trial page stands for all pages.
std::string describe_trial(bool huge, bool by_itself, int advised, int collapsed) {
  const std::string advice = advised == 0 ? "accepted" : "refused: " + error_text(advised);
  const std::string collapse = collapsed == 0 ? "works" : "refused: " + error_text(collapsed);
  if (by_itself) {
    return fmt::format(
        "page cache mapped by 2 MiB pages as they are touched (MADV_HUGEPAGE {}); MADV_COLLAPSE {}{}", advice,
        collapse, collapsed == 0 ? "" : ", and is not needed");
  }
  if (huge) {
    return fmt::format("page cache mapped by 2 MiB pages that MADV_COLLAPSE joins; MADV_HUGEPAGE {}", advice);
  }
  return fmt::format(
      "page cache mapped by small pages (huge ones refused); MADV_HUGEPAGE {}, MADV_COLLAPSE {}", advice,
      collapse);
}

// Tries whether the kernel maps a huge page, since no kernel reports that beforehand. Uses the second 2 MiB
// of the first file that is long enough.
FileHugePages try_huge_pages(const MappedFiles& mapped) {
  FileHugePages got;
  const int advised = mapped.advise_all(MADV_HUGEPAGE);
  // Without MADV_RANDOM the kernel reads a second huge page ahead of each, which is wasted on
  // scattered experts.
  mapped.advise_all(MADV_RANDOM);
  const std::vector<StoreFile>& files = mapped.store().files;
  for (uint32_t file = 0; file < files.size(); ++file) {
    if (files[file].bytes < 2 * kHugePageBytes) {
      continue;
    }
    const ByteRange trial = {.file = file, .offset = kHugePageBytes, .bytes = kHugePageBytes};
    if (mapped.touch(trial) != 0) {
      break;
    }
    const bool by_itself = mapped.huge_mapped_bytes(trial) > 0;
    const int collapsed = mapped.advise(trial, MADV_COLLAPSE, kHugePageBytes);
    got.collapsible = collapsed == 0;
    got.mapped = by_itself || mapped.huge_mapped_bytes(trial) > 0;
    got.note = describe_trial(got.mapped, by_itself, advised, collapsed);
    return got;
  }
  got.note = "page cache mapped; the store is too small for a huge page";
  return got;
}

// Maps the files by 2 MiB pages where the kernel can. Each page is read as a whole, so scattered experts cost
// up to two pages more than they need.
class MappedHugepages final : public Backend {
 public:
  MappedHugepages(const HugepageOptions& options, std::shared_ptr<const MappedFiles> mapped,
                  const FileHugePages& got)
      : mapped_(std::move(mapped)),
        pool_(options.threads, options.depth, mapped_->store(),
              [files = mapped_, collapse = got.collapsible](const IoRequest& request) {
                return fault_in(*files, collapse, request);
              }) {
    caps_.depth = options.depth;
    caps_.zero_copy = true;
    caps_.note = fmt::format("{}; {} threads take the faults", got.note, pool_.threads());
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
  static IoDone fault_in(const MappedFiles& mapped, bool collapse, const IoRequest& request) {
    const ReadExtent extent = read_extent(mapped.store(), request.range);
    IoDone done = {.tag = request.tag, .error = extent.error};
    if (extent.error == 0 && extent.need > 0) {
      done.error = mapped.touch(request.range);
      done.data = mapped.at(request.range);
      if (collapse) {
        mapped.advise(request.range, MADV_COLLAPSE, kHugePageBytes);
      }
    }
    return done;
  }

  BackendCaps caps_;
  const std::shared_ptr<const MappedFiles> mapped_;
  WorkerPool pool_;
};

// Copies everything into memory before the first request.
class StagedHugepages final : public Backend {
 public:
  StagedHugepages(const HugepageOptions& options, StoreFiles store, StagedCopy copy)
      : store_(std::move(store)), copy_(std::move(copy)), done_(options.depth) {
    caps_.depth = options.depth;
    caps_.zero_copy = true;
    caps_.note = fmt::format("whole store copied into {}: no I/O during the run", copy_.memory().describe());
  }

  const BackendCaps& caps() const override { return caps_; }
  Result<void> attach(std::span<std::byte>) override { return {}; }

  size_t submit(std::span<const IoRequest> requests) override {
    const size_t accepted = std::min(requests.size(), done_.room());
    for (const IoRequest& request : requests.first(accepted)) {
      const ReadExtent extent = read_extent(store_, request.range);
      const bool has_bytes = extent.error == 0 && extent.need > 0;
      done_.push(
          {.tag = request.tag, .error = extent.error, .data = has_bytes ? copy_.at(request.range) : nullptr});
    }
    return accepted;
  }

  size_t reap(std::span<IoDone> out, size_t at_least) override { return done_.reap(out, at_least); }

 private:
  BackendCaps caps_;
  const StoreFiles store_;
  const StagedCopy copy_;
  InstantQueue done_;
};

Result<std::unique_ptr<Backend>> make_staged(const HugepageOptions& options, const BackendEnv& env) {
  Result<StoreFiles> store = open_store_files(env.files, true);
  if (!store && store.error().kind == ErrorKind::unavailable) {
    store = open_store_files(env.files, false);  // no direct I/O on tmpfs and the like
  }
  if (!store) {
    return propagate(store);
  }
  Result<StagedCopy> copy = StagedCopy::make(*store, options.threads);
  if (!copy) {
    return propagate(copy);
  }
  if (options.strict && copy->memory().huge_bytes() < copy->memory().size()) {
    return unavailable("hugepage: strict=1, but the kernel gave {}; free memory or use strict=0",
                       copy->memory().describe());
  }
  return std::make_unique<StagedHugepages>(options, std::move(*store), std::move(*copy));
}

Result<std::unique_ptr<Backend>> make_mapped(const HugepageOptions& options, const BackendEnv& env) {
  Result<StoreFiles> store = open_store_files(env.files, false);
  if (!store) {
    return propagate(store);
  }
  Result<MappedFiles> mapped = MappedFiles::map(std::move(*store));
  if (!mapped) {
    return propagate(mapped);
  }
  const FileHugePages got = try_huge_pages(*mapped);
  if (options.strict && !got.mapped) {
    return unavailable("hugepage: strict=1, but {}; use stage=1 or strict=0", got.note);
  }
  return std::make_unique<MappedHugepages>(options, std::make_shared<MappedFiles>(std::move(*mapped)), got);
}

Result<std::unique_ptr<Backend>> make(const HugepageOptions& options, const BackendEnv& env) {
  if (Result<void> sane = check_pool("hugepage", options.threads, options.depth); !sane) {
    return propagate(sane);
  }
  return options.stage ? make_staged(options, env) : make_mapped(options, env);
}

}  // namespace

BackendPlugin hugepage() {
  return plugin<Backend, BackendEnv, HugepageOptions>(
      "hugepage", "the store mapped by 2 MiB pages, or copied into them once", make,
      [](const HugepageOptions& options) { return Traits{.is_staged = options.stage}; });
}

}  // namespace spillway::backend
