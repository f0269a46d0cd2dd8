#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/function_ref.h"
#include "core/step.h"

// The ports of the lab: every interface at which the simulated and the real world are exchanged. Unless a
// comment says otherwise all calls come from the one session thread, and nothing here blocks.
namespace spillway {

// ---- storage ----

// A contiguous piece of one of the store's files.
struct ByteRange {
  uint32_t file = 0;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

struct IoRequest {
  uint64_t tag = 0;  // the caller's, handed back in IoDone
  ByteRange range;   // offset and bytes are multiples of BackendCaps::alignment
  std::byte* destination =
      nullptr;  // `bytes` long, inside the attached memory; ignored by zero-copy backends
};

struct IoDone {
  uint64_t tag = 0;
  int error = 0;                    // errno of the read, 0 when every byte arrived
  const std::byte* data = nullptr;  // where the bytes are; nullptr from a backend that carries none
};

struct BackendCaps {
  uint64_t alignment = 1;     // of offsets, lengths and destinations; a power of two
  uint32_t depth = 1;         // requests that can be in flight; submit() takes no more
  bool zero_copy = false;     // IoDone::data points into the backend's own mapping; no destination is needed
  bool carries_bytes = true;  // false: a model or a no-op, there is nothing to verify
  std::string note;  // what the kernel really granted, for the report: "O_DIRECT, registered buffers"
};

// Storage, real or simulated. Each accepted request is completed exactly once, in any order. A short read is
// finished and EINTR/EAGAIN retried inside; a range that ends beyond the end of the file because it was
// rounded up to the alignment is complete when the file's last byte is there.
struct Backend {
  virtual ~Backend() = default;

  virtual const BackendCaps& caps() const = 0;

  // The memory that destinations will lie in, before the first submit; it stays the caller's and must outlive
  // the backend. Where registering it with the kernel fails the backend works without and says so in its
  // note.
  virtual Result<void> attach(std::span<std::byte> memory) = 0;

  // Accepts a prefix of `requests` and returns its length; less than all of them means "full for now: reap
  // first".
  virtual size_t submit(std::span<const IoRequest> requests) = 0;

  // Fills a prefix of `out` with completions and returns its length. at_least = 0 polls; more waits until
  // there are so many, and is the only call in the lab that blocks. Waiting for more than is in flight, or
  // than `out` holds, is a broken contract.
  virtual size_t reap(std::span<IoDone> out, size_t at_least) = 0;

  // A zero-copy backend may give back the memory behind `range`, which is not in flight. Others do nothing.
  virtual void release(const ByteRange& range) { static_cast<void>(range); }
};

// Where each expert's bytes lie. Immutable once opened.
struct ExpertStore {
  virtual ~ExpertStore() = default;

  virtual std::span<const std::string> files() const = 0;

  // Appends the ranges of `id` in the order gate, up, down (or one range for all); together bytes_of(id)
  // bytes.
  virtual void ranges(ExpertId id, std::vector<ByteRange>& out) const = 0;

  enum class Check { sample, all };
  virtual bool can_check() const = 0;

  // Compares bytes that were read for one of the expert's ranges with what the store knows about them.
  // `sample` looks at a few words of it, both ends among them. Thread-safe.
  virtual bool check(ExpertId id, const ByteRange& range, std::span<const std::byte> data,
                     Check how) const = 0;
};

// Used inside sim/ only: when a request that is handed to the device at `now` will be complete. Never before
// `now`.
struct DeviceModel {
  virtual ~DeviceModel() = default;
  virtual Nanoseconds finish(const IoRequest& request, Nanoseconds now) = 0;

  // The bytes that the drives behind a page cache were asked for so far, read-ahead included. Nothing where
  // every request goes to the drives.
  virtual std::optional<uint64_t> bytes_behind_page_cache() const { return std::nullopt; }
};

// ---- time and compute ----

// Time since the run began.
struct Clock {
  virtual ~Clock() = default;
  virtual Nanoseconds now() const = 0;

  // Returns at `deadline`, or earlier whenever a completion may have become reapable. Callers loop.
  virtual void wait_until(Nanoseconds deadline) = 0;
};

// Where the bytes of an expert are while it is computed: one span per range of its store.
using ExpertBytes = std::span<const std::span<const std::byte>>;

// The arithmetic between reads. Each call returns the instant at which the result is there: a real
// implementation does the work and returns clock.now(), a paced one returns an instant in the future and the
// session waits for it, pumping I/O meanwhile.
struct Compute {
  virtual ~Compute() = default;

  // Attention and router of step.layer, whose experts are thereby known. `began`: when the step was asked
  // for. A live model does this part of its work in StepSource::next(), for want of a router's choice before.
  virtual Nanoseconds attention(const Step& step, Nanoseconds began) = 0;

  // What the layer computes for every token whatever its router chose: a shared expert. Called once a step,
  // when the step's reads are under way.
  virtual Nanoseconds shared_expert(const Step& step, Nanoseconds now) {
    static_cast<void>(step);
    return now;
  }

  // The FFN of one of step.experts. Called once for each of them, in order of readiness.
  virtual Nanoseconds expert(const Step& step, ExpertId id, ExpertBytes bytes, Nanoseconds now) = 0;

  // True: expert() does nothing and takes no time, so nobody calls it.
  virtual bool skips_experts() const { return false; }
};

// ---- steps ----

// What a source knows besides the routing itself; a plug-in that needs more is refused when the run is
// composed.
struct SourceInfo {
  ModelGeometry geometry;
  bool has_compute_times = false;
  bool has_lookahead = false;
  bool has_next_use = false;
  bool is_live = false;  // next() takes the time that the layer's attention takes
};

struct StepSource {
  virtual ~StepSource() = default;
  virtual const SourceInfo& info() const = 0;

  // Fills `step`, whose vectors are reused, and returns true; false at the end.
  virtual Result<bool> next(Step& step) = 0;
};

// Steps that can be read from their start as often as wanted: those of a trace in memory, never of a model
// that runs.
struct StepSeries {
  virtual ~StepSeries() = default;
  virtual std::unique_ptr<StepSource> cursor() const = 0;  // which the series must outlive
};

// ---- cache decisions ----

struct Access {
  ExpertId expert{};
  uint64_t step = 0;  // index of the step during which it happens
  // From the step when annotated; for a prefetch: `step`, that is, at once.
  uint64_t next_use = kNeverUsedAgain;
  bool prefetch = false;  // a hint asks for it, and no step yet
};

// Asks "may this expert be evicted now?": true for a resident expert that no step or load holds.
using Evictable = FunctionRef<bool(ExpertId)>;

// Decides what leaves the cache. Sees ids and their order; no clock, no bytes, no cache.
struct EvictionPolicy {
  virtual ~EvictionPolicy() = default;

  // `access.expert`, which was absent, got a place (its bytes have yet to arrive).
  virtual void admitted(const Access& access) = 0;
  // A demand found `access.expert` admitted already.
  virtual void touched(const Access& access) = 0;
  // The expert has left: as the victim, or because its load failed or was dropped.
  virtual void removed(ExpertId expert) = 0;
  // An admitted expert for which may_go holds, to make room for `incoming`; nothing when there is none.
  // Changes no state: what was chosen leaves by removed().
  virtual std::optional<ExpertId> victim(const Access& incoming, Evictable may_go) = 0;
};

struct Hint {
  ExpertId expert{};
  float confidence = 0;  // 0 to 1, an estimate of the probability that it is used when its layer comes next
};

using HintList = std::vector<Hint>;

// Proposes experts of later steps; the pager disposes. Both calls come once per step, observe() first.
struct Prefetcher {
  virtual ~Prefetcher() = default;
  virtual void observe(const Step& step) = 0;
  // Appends proposals, best first. Experts that are already in memory may be among them.
  virtual void propose(const Step& now, HintList& out) = 0;
};

// ---- what happened ----

enum class EventKind : uint8_t {
  // Decisions of the pager, a pure function of its inputs. `expert` is set in each.
  hit,       // a demand found the bytes there
  late,      // a demand found a prefetch under way and must wait for the rest of it
  miss,      // a demand has to be read; followed by admit, or by bypass when nothing may be evicted for it
  admit,     // got a place for a demand
  bypass,    // is read for this step only and not kept
  prefetch,  // got a place on a hint
  prefetch_used,    // first demand of a prefetched expert whose bytes were there
  prefetch_wasted,  // left, or was dropped on the way, without ever being demanded
  evict,            // lost its place
  // What the session did. `start` and `duration` are set; `bytes` where it says so. Compute that took no time
  // is not told.
  attention,  // compute before the experts are known
  shared_expert,
  expert,  // the FFN of `expert`
  stall,   // nothing to compute, waiting for the store
  io,      // one request: `bytes` long, of `expert`; `error` is its errno; prefetch tells why it was read
  step,    // a whole step, from when its layer began
  pass,    // a whole forward pass
};

inline constexpr size_t kEventKinds = size_t(EventKind::pass) + 1;

struct Event {
  EventKind kind{};
  bool prefetch = false;
  Phase phase = Phase::decode;
  int error = 0;
  uint32_t tokens = 0;  // step, pass: tokens in it
  ExpertId expert{};
  uint64_t step = 0;
  uint64_t bytes = 0;  // hit, late, miss, prefetch*: the expert's bytes; io: those of the request
  Nanoseconds start{0};
  Nanoseconds duration{0};
};

// Metrics, digests, recorders and timelines. Must not call back into the pager or the session.
struct Observer {
  virtual ~Observer() = default;
  virtual void on(const Event& event) = 0;

  // What happened in one go, in order: as on() for each.
  virtual void on_all(std::span<const Event> events) {
    for (const Event& event : events) {
      on(event);
    }
  }
};

}  // namespace spillway
