#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/ports.h"
#include "runtime/expert_places.h"
#include "runtime/pager.h"
#include "runtime/prefetch_pace.h"

namespace spillway {

enum class Verify { off, sample, all };

struct LoaderConfig {
  Verify verify = Verify::off;
  // Hand an evicted expert's pages back (zero-copy backends). Off when there is no cache of ours, so that the
  // page cache alone decides what stays.
  bool release_dropped = false;
  // A prefetch is read in pieces, of which no more are in flight than the drive is likely to be through with
  // when the next demand comes up, and these at most: so many can a demand have to wait for.
  uint64_t prefetch_piece_bytes = 1 << 19;
  uint32_t most_prefetch_pieces = 16;
  uint32_t attempts = 3;  // of a failing request before its error counts
};

struct LoaderCounts {
  uint64_t bytes_read = 0;      // of completed requests, what alignment adds included
  uint64_t bytes_verified = 0;  // of experts compared with what the store knows, wholly or by sample
  uint64_t retries = 0;
  // From the first read to the end of the run nothing was in flight for so long in all.
  Nanoseconds idle{0};
  Nanoseconds moving{0};  // of that, because experts were moved together in memory
};

// Carries out the pager's commands: finds each expert a place, turns it into requests, keeps the backend fed
// (demands first; prefetch only while nobody waits), and tells the pager what has arrived.
class Loader {
 public:
  // `arena` is null when the backend is zero-copy or carries no bytes. All references must outlive the
  // loader.
  Loader(const ModelGeometry& geometry, const ExpertStore& store, Backend& backend, SlotArena* arena,
         Pager& pager, const Clock& clock, Observer& observer, const LoaderConfig& config);

  // Obeys the pager, submits what may be submitted, takes in what is complete. Until `idle_until` no demand
  // will be waited for: prefetch may use the drive for reads that are likely to be over by then. Fails when a
  // demanded expert cannot be read, or is not what was stored.
  Result<void> pump(Nanoseconds idle_until);
  static constexpr Nanoseconds kBusy = Nanoseconds::min();  // a demand is waited for now

  // As pump(), by somebody who will not pump again until about `idle_until`.
  Result<void> leave(Nanoseconds idle_until);

  // As pump(kBusy), but waits: until as many requests are complete as it takes for the first expert, or until
  // all that the step waits for is there. After leave() it returns at once where something has come
  // meanwhile, perhaps not enough. A demand must be under way.
  enum class Until { first_expert, last_expert };
  Result<void> wait(Until until);

  // Waits for everything in flight and forgets what was not submitted. The destructor of the memory that
  // backends write to must not run before.
  void drain();

  // One span for each of the expert's ranges in the store, valid until the next pump() or wait(); nothing
  // where the backend carries no bytes.
  ExpertBytes bytes(ExpertId expert) const { return places_.bytes(expert); }

  const LoaderCounts& counts() const { return counts_; }

 private:
  struct Piece {  // one request's worth of one range
    ByteRange aligned;
    uint64_t at = 0;  // where its bytes go, counted from the start of the expert's place
    uint32_t range = 0;
    uint32_t attempt = 1;
  };
  struct Load {
    ExpertId expert{};
    bool prefetch = false;
    bool abandoned = false;
    int error = 0;
    uint32_t in_flight = 0;
    uint32_t next = 0;          // first piece not submitted
    std::vector<Piece> pieces;  // empty: this load is not in use
    std::vector<ByteRange> ranges;
  };
  struct Flight {
    uint32_t load = 0;
    uint32_t piece = 0;
    Nanoseconds submitted{0};
  };

  void obey_pager();
  void obey(const PagerCommand& command);
  void start(ExpertId expert, bool prefetch);
  void cut_into_pieces(Load& load) const;
  void hurry(uint32_t index);
  void abandon(uint32_t index);
  void drop(ExpertId expert);
  bool find_place(const Load& load);
  void make_room_meanwhile();
  uint64_t demand_bytes_in_flight() const;
  size_t in_flight() const { return demands_in_flight_ + prefetches_in_flight_; }
  void submit_demands();
  void feed_prefetch(Nanoseconds idle_until);
  void gather(std::vector<uint32_t>& queue, size_t most);
  void send();
  void end_idling(Nanoseconds now);
  Result<void> reap(size_t at_least);
  void take_in(const IoDone& done, Nanoseconds now);
  void retry(const Flight& flight);
  void complete(uint32_t index);
  void fail(uint32_t index);
  void verify(const Load& load);
  void give_up(uint32_t index);
  void retire(uint32_t index) {
    loads_[index].pieces.clear();
    unused_loads_.push_back(index);
  }
  size_t completions_to_wait_for(Until until) const;
  uint32_t load_of(ExpertId expert) const;

  const ModelGeometry& geometry_;
  const ExpertStore& store_;
  Backend& backend_;
  Pager& pager_;
  const Clock& clock_;
  Observer& observer_;
  LoaderConfig config_;
  uint64_t alignment_;
  LoaderCounts counts_;

  ExpertPlaces places_;
  std::vector<Load> loads_;  // reused
  std::vector<uint32_t> unused_loads_;
  std::vector<uint32_t> demands_;  // loads with pieces to submit, in order
  std::vector<uint32_t> prefetches_;
  std::vector<Flight> flights_;  // by tag
  std::vector<uint64_t> unused_tags_;
  std::vector<IoRequest> batch_;  // being gathered
  std::vector<IoDone> done_;      // scratch of reap()
  size_t reaped_ = 0;             // by the last reap()
  Result<void> outcome_;  // the first failure that a demand could not survive; nothing goes on from it
  uint32_t demands_in_flight_ = 0;
  uint32_t prefetches_in_flight_ = 0;
  std::optional<Nanoseconds> idle_since_;  // nothing was in flight from then on
  PrefetchPace pace_;
  bool was_left_ = false;  // the last call was leave()
};

}  // namespace spillway
