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

// The ports of the lab: every interface at which a simulated part can replace a real one. Unless a comment
// says otherwise, all calls come from the one session thread and no call blocks.
namespace spillway {

// ---- storage ----

// A contiguous piece of one of the store's files.
struct ByteRange {
  uint32_t file = 0;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

struct IoRequest {
  uint64_t tag = 0;  // chosen by the caller, handed back in IoDone
  ByteRange range;   // offset and bytes are multiples of BackendCaps::alignment
  // Memory for `range.bytes` bytes inside the attached memory; zero-copy backends ignore it.
  std::byte* destination = nullptr;
};

struct IoDone {
  uint64_t tag = 0;
  int error = 0;                    // errno of the read, 0 when every byte arrived
  const std::byte* data = nullptr;  // the bytes that were read; nullptr from a backend that carries none
};

struct BackendCaps {
  uint64_t alignment = 1;     // of offsets, lengths and destinations; a power of two
  uint32_t depth = 1;         // most requests in flight; submit() takes no more
  bool zero_copy = false;     // IoDone::data points into the backend's own mapping; no destination is needed
  bool carries_bytes = true;  // false for a simulated or no-op backend: there are no bytes to verify
  std::string note;  // what the kernel really granted, for the report: "O_DIRECT, registered buffers"
  // Why no request can succeed any more, whatever it reads, and what to do; empty as long as the backend
  // works.
  std::string fault = {};
};

// Storage, real or simulated. Completes each accepted request exactly once, in any order. The backend itself
// finishes short reads and retries EINTR and EAGAIN. A range may end beyond the end of the file because it
// was rounded up to the alignment; it is complete when the file's last byte is there.
struct Backend {
  virtual ~Backend() = default;

  virtual const BackendCaps& caps() const = 0;

  // Announces the memory that destinations will lie in; called before the first submit(). The caller keeps
  // the memory, which must outlive the backend. If the kernel refuses to register the memory, the backend
  // works without registration and says so in its note.
  virtual Result<void> attach(std::span<std::byte> memory) = 0;

  // Accepts a prefix of `requests` and returns its length. A prefix that is not the whole means "full
  // for now: reap first".
  virtual size_t submit(std::span<const IoRequest> requests) = 0;

  // Fills a prefix of `out` with completions and returns its length. With at_least = 0 it polls; otherwise
  // it waits for at least that many completions, and is the only call in the lab that blocks. Once the end
  // was asked for, reads that a drive does not answer end with ECANCELED, and BackendCaps::fault names the
  // slowest. `at_least` must exceed neither the requests in flight nor the size of `out`.
  virtual size_t reap(std::span<IoDone> out, size_t at_least) = 0;

  // Allows a zero-copy backend to give back the memory behind `range`, which must not be in flight.
  // Other backends do nothing.
  virtual void release(const ByteRange& range) { static_cast<void>(range); }
};

// Knows where each expert's bytes lie. Immutable once opened.
struct ExpertStore {
  virtual ~ExpertStore() = default;

  virtual std::span<const std::string> files() const = 0;

  // Appends the byte ranges of `id`, in the order gate, up, down, or as one range for all three. Their
  // lengths sum to bytes_of(id).
  virtual void ranges(ExpertId id, std::vector<ByteRange>& out) const = 0;

  enum class Check { sample, all };
  virtual bool can_check() const = 0;

  // Returns true when `data`, read from one of the expert's ranges, is what the store knows about them.
  // `sample` compares a few words, those at both ends among them. Thread-safe.
  virtual bool check(ExpertId id, const ByteRange& range, std::span<const std::byte> data,
                     Check how) const = 0;
};

// Returns when a request that is handed to the device at `now` will be complete, never earlier than `now`.
// Used only inside sim/.
struct DeviceModel {
  virtual ~DeviceModel() = default;
  virtual Nanoseconds finish(const IoRequest& request, Nanoseconds now) = 0;

  // Returns the bytes that the drives behind a page cache were asked for so far, read-ahead included. Empty
  // where every request goes to the drives.
  virtual std::optional<uint64_t> bytes_behind_page_cache() const { return std::nullopt; }
};

// ---- time and compute ----

// Time since the run began.
struct Clock {
  virtual ~Clock() = default;
  virtual Nanoseconds now() const = 0;

  // Returns at `deadline`, or earlier when a completion may have become reapable. Callers loop.
  virtual void wait_until(Nanoseconds deadline) = 0;
};

// The bytes of an expert while it is computed: one span per range of its store.
using ExpertBytes = std::span<const std::span<const std::byte>>;

// The arithmetic between reads. Each call returns the instant at which its result is available. A real
// implementation does the work and returns clock.now(). A paced one returns an instant in the future; the
// session waits for it and pumps I/O meanwhile.
struct Compute {
  virtual ~Compute() = default;

  // Computes attention and router of step.layer, after which the layer's experts are known. `began` is when
  // the step was asked for. A live model does this work in StepSource::next(), since without the router it
  // has no step to return.
  virtual Nanoseconds attention(const Step& step, Nanoseconds began) = 0;

  // Computes the part of the layer that every token uses whatever its router chose: a shared expert. Called
  // once per step, after the step's reads were sent.
  virtual Nanoseconds shared_expert(const Step& step, Nanoseconds now) {
    static_cast<void>(step);
    return now;
  }

  // Computes the FFN of one of step.experts. Called once for each of them, in the order in which
  // they become ready.
  virtual Nanoseconds expert(const Step& step, ExpertId id, ExpertBytes bytes, Nanoseconds now) = 0;

  // True if expert() does nothing and takes no time, so the session need not call it.
  virtual bool skips_experts() const { return false; }
};

// ---- steps ----

// Describes what a source provides besides the routing itself. A plug-in that needs more is refused when
// the run is composed.
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

  // Fills `step`, whose vectors are reused, and returns true; returns false at the end.
  virtual Result<bool> next(Step& step) = 0;
};

// Steps that can be read from the start any number of times: those of a trace in memory, never those
// of a running model.
struct StepSeries {
  virtual ~StepSeries() = default;
  virtual std::unique_ptr<StepSource> cursor() const = 0;  // the series must outlive the cursor
};

// ---- cache decisions ----

struct Access {
  ExpertId expert{};
  uint64_t step = 0;  // index of the step during which the access happens
  // Index of the next step that uses the expert, where the step is annotated. A prefetched expert counts as
  // used at once: next_use is `step`.
  uint64_t next_use = kNeverUsedAgain;
  bool prefetch = false;  // a hint asked for the expert, and no step yet
};

// Answers whether an expert may be evicted now: true for a resident expert that no step or load holds.
using Evictable = FunctionRef<bool(ExpertId)>;

// Decides which expert leaves the cache. Sees expert ids and the order of accesses, but no clock, no
// bytes and no cache.
struct EvictionPolicy {
  virtual ~EvictionPolicy() = default;

  // Called when `access.expert`, which was absent, got a place. Its bytes have yet to arrive.
  virtual void admitted(const Access& access) = 0;
  // Called when a demand found `access.expert` already admitted.
  virtual void touched(const Access& access) = 0;
  // Called when the expert has left: as the victim, or because its load failed or was dropped.
  virtual void removed(ExpertId expert) = 0;
  // Returns an admitted expert for which may_go holds, to make room for `incoming`; empty if there is none.
  // Changes no state: the victim leaves by removed().
  virtual std::optional<ExpertId> victim(const Access& incoming, Evictable may_go) = 0;
};

struct Hint {
  ExpertId expert{};
  float confidence = 0;  // 0 to 1: estimated probability that the expert is used when its layer comes next
};

using HintList = std::vector<Hint>;

// Proposes experts for later steps; the pager decides. Both calls come once per step, observe() first.
struct Prefetcher {
  virtual ~Prefetcher() = default;
  virtual void observe(const Step& step) = 0;
  // Appends proposals, best first. Experts that are already in memory may be among the proposals.
  virtual void propose(const Step& now, HintList& out) = 0;
};

// ---- what happened ----

enum class EventKind : uint8_t {
  // Decisions of the pager, a pure function of its inputs. `expert` is set in each of these events.
  hit,              // a demand found the expert's bytes in memory
  late,             // a demand found a prefetch under way and must wait for the rest of it
  miss,             // a demand has to be read; admit follows, or bypass when nothing may be evicted for it
  admit,            // an expert got a place for a demand
  bypass,           // an expert is read for this step only and not kept
  prefetch,         // an expert got a place on a hint
  prefetch_used,    // first demand of a prefetched expert whose bytes were there
  prefetch_wasted,  // a prefetched expert left, or its load was dropped, without ever being demanded
  evict,            // an expert lost its place
  // Actions of the session. `start` and `duration` are set, and `bytes` for io. Compute that took no
  // time is not reported.
  attention,  // compute before the layer's experts are known
  shared_expert,
  expert,  // the FFN of `expert`
  stall,   // waiting for the store, with nothing to compute
  io,      // one request of `bytes` bytes for `expert`; `error` is its errno, `prefetch` says why it was read
  step,    // a whole step, from the moment its layer began
  pass,    // a whole forward pass
};

inline constexpr size_t kEventKinds = size_t(EventKind::pass) + 1;

struct Event {
  EventKind kind{};
  bool prefetch = false;
  Phase phase = Phase::decode;
  int error = 0;
  uint32_t tokens = 0;  // step, pass: number of tokens
  ExpertId expert{};
  uint64_t step = 0;
  uint64_t bytes = 0;  // hit, late, miss, prefetch*: the expert's bytes; io: the request's bytes
  Nanoseconds start{0};
  Nanoseconds duration{0};
};

// Metrics, digests, recorders and timelines. An observer must not call back into the pager or the session.
struct Observer {
  virtual ~Observer() = default;
  virtual void on(const Event& event) = 0;

  // Reports several events at once, in order; the same as on() for each.
  virtual void on_all(std::span<const Event> events) {
    for (const Event& event : events) {
      on(event);
    }
  }
};

}  // namespace spillway
