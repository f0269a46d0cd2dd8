#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/ports.h"
#include "core/rng.h"
#include "runtime/expert_places.h"
#include "runtime/pager.h"
#include "runtime/prefetch_pace.h"

namespace spillway {

enum class Verify { off, sample, all };

// Verify::sample compares every byte of one expert in so many, chosen at random: the store's sample looks at
// the same few words of an expert each time, and would never see damage elsewhere. The price is about a
// hundredth of a core on a drive of 7 GB/s.
inline constexpr uint32_t kWholeCheckEvery = 64;

struct LoaderConfig {
  Verify verify = Verify::off;
  uint64_t verify_seed = 0;  // picks the experts that Verify::sample compares whole
  // Hands an evicted expert's pages back (zero-copy backends). Off when there is no cache of ours, so that
  // the page cache alone decides which pages stay.
  bool release_dropped = false;
  // Prefetches are read in pieces. Only as many pieces are in flight as the drive will probably finish
  // before the next demand, and never more than `most_prefetch_pieces`, since a demand may have to wait
  // behind all of them.
  uint64_t prefetch_piece_bytes = 1 << 19;
  uint32_t most_prefetch_pieces = 16;
  uint32_t attempts = 3;  // tries of a failing request before its error counts
};

struct LoaderCounts {
  uint64_t bytes_read = 0;            // by completed requests, alignment padding included
  uint64_t bytes_verified = 0;        // of experts that were compared with the store, whole or by sample
  uint64_t bytes_verified_whole = 0;  // the part of `bytes_verified` of which every byte was compared
  uint64_t retries = 0;
  // Total time, between the first read and the end of the run, during which no request was in flight.
  Nanoseconds idle{0};
  Nanoseconds moving{0};  // the part of `idle` that was spent moving experts in memory
};

// Carries out the pager's commands: finds a place for each expert, turns the expert into requests,
// keeps the backend busy (demands first; prefetch only while no demand is waited for), and reports
// arrivals to the pager.
class Loader {
 public:
  // `arena` is null if the backend is zero-copy or carries no bytes. All references must outlive the loader.
  Loader(const ModelGeometry& geometry, const ExpertStore& store, Backend& backend, SlotArena* arena,
         Pager& pager, const Clock& clock, Observer& observer, const LoaderConfig& config);

  // Carries out the pager's commands, submits as many requests as the backend takes, and processes
  // completions. No demand will be waited for until `idle_until`, so prefetch may use the drive for
  // reads that will probably finish by then. Fails if a demanded expert cannot be read, or if its bytes
  // are not what was stored.
  Result<void> pump(Nanoseconds idle_until);
  static constexpr Nanoseconds kBusy = Nanoseconds::min();  // a demand is waited for now

  // As pump(), for a caller that will not pump again until about `idle_until`.
  Result<void> leave(Nanoseconds idle_until);

  // As pump(kBusy), but waits for the step's demands, of which at least one must be under way. With
  // `first_expert` it waits for the fewest completions that can complete an expert, with `last_expert` until
  // all of the step's experts are there. After leave() it returns at once if something was completed
  // meanwhile, which may be less than was asked for.
  enum class Until { first_expert, last_expert };
  Result<void> wait(Until until);

  // Waits for all requests in flight and forgets those that were not submitted. Call this before destroying
  // the memory that backends write into.
  void drain();

  // Returns one span for each of the expert's ranges in the store, valid until the next pump() or wait().
  // Returns nothing if the backend carries no bytes.
  ExpertBytes bytes(ExpertId expert) const { return places_.bytes(expert); }

  const LoaderCounts& counts() const { return counts_; }

 private:
  struct Piece {  // the part of a range that one request reads
    ByteRange aligned;
    uint64_t at = 0;  // where the bytes go, from the start of the expert's place
    uint32_t range = 0;
    uint32_t attempt = 1;
  };
  struct Load {
    ExpertId expert{};
    bool prefetch = false;
    bool abandoned = false;
    int error = 0;
    uint32_t in_flight = 0;
    uint32_t next = 0;          // the first piece that was not submitted
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
  Rng verify_rng_;

  ExpertPlaces places_;
  std::vector<Load> loads_;  // reused, see unused_loads_
  std::vector<uint32_t> unused_loads_;
  std::vector<uint32_t> demands_;  // loads that have pieces to submit, in order
  std::vector<uint32_t> prefetches_;
  std::vector<Flight> flights_;  // by tag
  std::vector<uint64_t> unused_tags_;
  std::vector<IoRequest> batch_;  // gathered for the next submit()
  std::vector<IoDone> done_;      // scratch of reap()
  size_t reaped_ = 0;             // completions of the last reap()
  Result<void> outcome_;          // the first failure of a demand; the run cannot continue after it
  uint32_t demands_in_flight_ = 0;
  uint32_t prefetches_in_flight_ = 0;
  std::optional<Nanoseconds> idle_since_;  // set while nothing is in flight
  PrefetchPace pace_;
  bool was_left_ = false;  // the last call was leave()
};

}  // namespace spillway
