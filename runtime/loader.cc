#include "runtime/loader.h"

#include <algorithm>
#include <cstring>

#include "core/expects.h"

namespace spillway {
namespace {

LoaderConfig with_aligned_pieces(LoaderConfig config, uint64_t alignment) {
  config.prefetch_piece_bytes = round_up(config.prefetch_piece_bytes, alignment);
  return config;
}

}  // namespace

Loader::Loader(const ModelGeometry& geometry, const ExpertStore& store, Backend& backend, SlotArena* arena,
               Pager& pager, const Clock& clock, Observer& observer, const LoaderConfig& config)
    : geometry_(geometry),
      store_(store),
      backend_(backend),
      pager_(pager),
      clock_(clock),
      observer_(observer),
      config_(with_aligned_pieces(config, backend.caps().alignment)),
      alignment_(backend.caps().alignment),
      verify_rng_(config.verify_seed),
      places_(geometry, store, backend.caps(), arena),
      flights_(backend.caps().depth),
      done_(backend.caps().depth),
      pace_(std::min(config.most_prefetch_pieces, std::max(1U, backend.caps().depth / 2)),
            config_.prefetch_piece_bytes) {
  Expects(backend.caps().carries_bytes ? arena != nullptr || backend.caps().zero_copy
                                       : arena == nullptr && config.verify == Verify::off);
  for (uint32_t tag = backend.caps().depth; tag-- > 0;) {
    unused_tags_.push_back(tag);
  }
}

Result<void> Loader::pump(Nanoseconds idle_until) {
  obey_pager();
  submit_demands();
  if (in_flight() > 0) {
    if (Result<void> reaped = reap(0); !reaped) {
      return reaped;
    }
    if (reaped_ > 0) {
      obey_pager();
      submit_demands();
    }
  }
  was_left_ = false;
  feed_prefetch(idle_until);
  return {};
}

Result<void> Loader::leave(Nanoseconds idle_until) {
  Result<void> pumped = pump(idle_until);
  was_left_ = true;
  return pumped;
}

Result<void> Loader::wait(Until until) {
  obey_pager();
  submit_demands();
  if (in_flight() == 0) {
    // A half-read prefetch holds the room that the demand needs: finish it.
    gather(prefetches_, flights_.size());
    send();
  }
  if (was_left_) {
    // Takes in the completions that came since leave(), without waiting: only a read that is waited for
    // shows how long it took.
    Result<void> reaped = reap(0);
    was_left_ = false;
    if (!reaped || reaped_ > 0) {
      return reaped;
    }
  }
  make_room_meanwhile();
  return reap(completions_to_wait_for(until));
}

// Makes room while waiting. A demand that finds no hole has to move other experts before its read can begin,
// and the drive is idle during the move; now the drive is busy and nothing is computed. These experts will
// have to move anyway. The bound of twice the bytes in flight keeps the move, where memory is at least twice
// as fast as the drive, from taking longer than the wait.
void Loader::make_room_meanwhile() {
  if (places_.in_arena() && demands_in_flight_ > 0) {
    places_.make_room(2 * demand_bytes_in_flight(), [this](ExpertId other) { return pager_.ready(other); });
  }
}

uint64_t Loader::demand_bytes_in_flight() const {
  uint64_t sum = 0;
  for (const Load& load : loads_) {
    if (!load.pieces.empty() && !load.prefetch && load.in_flight > 0) {
      sum += geometry_.bytes_of(load.expert) * load.in_flight / load.pieces.size();
    }
  }
  return sum;
}

void Loader::drain() {
  demands_.clear();
  prefetches_.clear();
  end_idling(clock_.now());
  while (in_flight() > 0) {
    const size_t count = backend_.reap(done_, 1);
    for (const IoDone& done : std::span(done_).first(count)) {
      const Load& load = loads_[flights_[done.tag].load];
      --(load.prefetch ? prefetches_in_flight_ : demands_in_flight_);
    }
  }
}

// ---- commands

void Loader::obey_pager() {
  pager_.take_commands([this](const PagerCommand& command) { obey(command); });
}

void Loader::obey(const PagerCommand& command) {
  switch (command.kind) {
    case PagerCommand::Kind::load:
      return start(command.expert, command.prefetch);
    case PagerCommand::Kind::hurry:
      return hurry(load_of(command.expert));
    case PagerCommand::Kind::abandon:
      return abandon(load_of(command.expert));
    case PagerCommand::Kind::drop:
      return drop(command.expert);
  }
}

void Loader::start(ExpertId expert, bool prefetch) {
  if (unused_loads_.empty()) {
    unused_loads_.push_back(uint32_t(loads_.size()));
    loads_.emplace_back();
  }
  const uint32_t index = unused_loads_.back();
  unused_loads_.pop_back();
  Load& load = loads_[index];
  load.expert = expert;
  load.prefetch = prefetch;
  load.abandoned = false;
  load.error = 0;
  load.in_flight = 0;
  load.next = 0;
  load.ranges.clear();
  store_.ranges(expert, load.ranges);

  cut_into_pieces(load);
  Expects(!load.pieces.empty());
  places_.clear(expert, load.ranges.size());
  (prefetch ? prefetches_ : demands_).push_back(index);
}

// Cuts a load into pieces. The ranges of a demand are read whole, since no other demand waits for the drive.
void Loader::cut_into_pieces(Load& load) const {
  uint64_t at = 0;
  for (uint32_t i = 0; i < load.ranges.size(); ++i) {
    const ByteRange whole = aligned_to(load.ranges[i], alignment_);
    at = places_.next_range_at(at);
    const uint64_t most = load.prefetch ? config_.prefetch_piece_bytes : whole.bytes;
    for (uint64_t done = 0; done < whole.bytes;) {
      const uint64_t bytes = std::min(most, whole.bytes - done);
      load.pieces.push_back({{whole.file, whole.offset + done, bytes}, at, i});
      done += bytes;
      at += bytes;
    }
  }
}

// Returns the load of `expert`. A linear search is enough, since only the fate of a prefetch asks.
uint32_t Loader::load_of(ExpertId expert) const {
  const auto load = std::find_if(loads_.begin(), loads_.end(), [expert](const Load& candidate) {
    return !candidate.pieces.empty() && candidate.expert == expert;
  });
  Expects(load != loads_.end());
  return uint32_t(load - loads_.begin());
}

void Loader::hurry(uint32_t index) {
  Load& load = loads_[index];
  if (load.prefetch) {
    load.prefetch = false;
    prefetches_in_flight_ -= load.in_flight;
    demands_in_flight_ += load.in_flight;
  }
  std::erase(prefetches_, index);
  load.abandoned = false;
  if (load.next < load.pieces.size()) {
    demands_.push_back(index);
  }
}

void Loader::abandon(uint32_t index) {
  Load& load = loads_[index];
  if (load.next == load.pieces.size()) {
    return;  // all of it is on its way already and may as well be kept
  }
  load.abandoned = true;
  std::erase(prefetches_, index);
  if (load.in_flight == 0) {
    give_up(index);
  }
}

void Loader::drop(ExpertId expert) {
  if (config_.release_dropped) {
    std::vector<ByteRange> ranges;
    store_.ranges(expert, ranges);
    for (const ByteRange& range : ranges) {
      backend_.release(range);
    }
  }
  places_.give_back(expert);
}

// ---- submission

bool Loader::find_place(const Load& load) {
  if (places_.memory(load.expert) != nullptr || places_.take(load.expert, load.ranges)) {
    return true;
  }
  // Moving takes about a tenth of the time of a read. The requests gathered for this step are sent first, so
  // that the drive is busy meanwhile.
  if (!load.prefetch) {
    send();
  }
  const Nanoseconds begun = clock_.now();
  const bool found =
      places_.take_moving(load.expert, load.ranges, [this](ExpertId other) { return pager_.ready(other); });
  if (in_flight() == 0) {
    counts_.moving += clock_.now() - begun;
  }
  return found;
}

void Loader::submit_demands() {
  gather(demands_, flights_.size());
  send();
}

void Loader::feed_prefetch(Nanoseconds idle_until) {
  if (idle_until == kBusy || !demands_.empty() || demands_in_flight_ > 0) {
    return;
  }
  const uint32_t most = pace_.pieces_that_fit(idle_until - clock_.now(), pager_.useful_share());
  while (prefetches_in_flight_ < most) {
    if (prefetches_.empty() && pager_.start_prefetch()) {
      obey_pager();
    }
    const uint32_t before = prefetches_in_flight_;
    gather(prefetches_, most - before);
    send();
    if (prefetches_in_flight_ == before) {
      return;  // no hint is left, or no room
    }
  }
}

// Moves up to `most` pieces from the front of the queue into the batch, as far as tags and memory allow.
void Loader::gather(std::vector<uint32_t>& queue, size_t most) {
  size_t through = 0;  // loads of which all pieces are gathered
  while (through < queue.size() && !unused_tags_.empty() && batch_.size() < most) {
    const uint32_t index = queue[through];
    Load& load = loads_[index];
    if (places_.in_arena() && !find_place(load)) {
      break;
    }
    const Piece& piece = load.pieces[load.next];
    const uint64_t tag = unused_tags_.back();
    unused_tags_.pop_back();
    std::byte* memory = places_.in_arena() ? places_.memory(load.expert) + piece.at : nullptr;
    batch_.push_back({tag, piece.aligned, memory});
    ++load.in_flight;
    ++(load.prefetch ? prefetches_in_flight_ : demands_in_flight_);
    flights_[tag] = {index, load.next, Nanoseconds(0)};
    through += ++load.next == load.pieces.size() ? 1 : 0;
  }
  queue.erase(queue.begin(), queue.begin() + ptrdiff_t(through));
}

void Loader::send() {
  if (batch_.empty()) {
    return;
  }
  const Nanoseconds now = clock_.now();
  for (const IoRequest& request : batch_) {
    flights_[request.tag].submitted = now;
  }
  end_idling(now);
  pace_.sent(now, in_flight() == batch_.size());
  // There are as many tags as the backend takes requests, so it has room for every gathered request.
  const size_t taken = backend_.submit(batch_);
  Expects(taken == batch_.size());
  batch_.clear();
}

void Loader::end_idling(Nanoseconds now) {
  if (idle_since_) {
    counts_.idle += now - *idle_since_;
    idle_since_.reset();
  }
}

// ---- completion

// Returns how many requests must at least be completed before any awaited expert can be complete. Waking up
// for fewer would gain nothing.
size_t Loader::completions_to_wait_for(Until until) const {
  size_t fewest = in_flight();
  // With requests still to be submitted, waiting for all would let the queue run dry.
  if (until == Until::last_expert && demands_.empty() && demands_in_flight_ > 0) {
    return demands_in_flight_;
  }
  for (const Load& load : loads_) {
    if (!load.pieces.empty() && !load.prefetch) {
      fewest = std::min(fewest, load.in_flight + (load.pieces.size() - load.next));
    }
  }
  return fewest;
}

Result<void> Loader::reap(size_t at_least) {
  reaped_ = backend_.reap(done_, at_least);
  if (reaped_ == 0) {
    return outcome_;
  }
  const Nanoseconds now = clock_.now();
  const uint64_t read_before = counts_.bytes_read;
  if (in_flight() == reaped_) {
    idle_since_ = now;
  }
  // Every completion is processed even if one has failed: drain() relies on correct counts.
  for (const IoDone& done : std::span(done_).first(reaped_)) {
    take_in(done, now);
  }
  pace_.looked(now, counts_.bytes_read - read_before, in_flight() == 0, was_left_);
  return outcome_;
}

void Loader::take_in(const IoDone& done, Nanoseconds now) {
  const Flight flight = flights_[done.tag];
  unused_tags_.push_back(done.tag);
  Load& load = loads_[flight.load];
  const Piece& piece = load.pieces[flight.piece];
  --load.in_flight;
  --(load.prefetch ? prefetches_in_flight_ : demands_in_flight_);
  counts_.bytes_read += done.error == 0 ? piece.aligned.bytes : 0;
  observer_.on({.kind = EventKind::io,
                .prefetch = load.prefetch,
                .error = done.error,
                .expert = load.expert,
                .bytes = piece.aligned.bytes,
                .start = flight.submitted,
                .duration = now - flight.submitted});
  if (done.error != 0 && piece.attempt < config_.attempts) {
    retry(flight);
    if (load.abandoned && load.in_flight == 0) {
      complete(flight.load);
    }
    return;
  }
  load.error = load.error != 0 ? load.error : done.error;
  const ByteRange& range = load.ranges[piece.range];
  if (done.data != nullptr && piece.aligned.offset <= range.offset) {
    places_.set(load.expert, piece.range, {done.data + (range.offset - piece.aligned.offset), range.bytes});
  }
  const bool all_submitted = load.next == load.pieces.size();
  if (load.in_flight == 0 && (all_submitted || load.abandoned || load.error != 0)) {
    complete(flight.load);
  }
}

void Loader::retry(const Flight& flight) {
  Load& load = loads_[flight.load];
  ++counts_.retries;
  const bool queued = load.next < load.pieces.size();
  const Piece failed_piece = load.pieces[flight.piece];
  load.pieces.push_back(failed_piece);
  ++load.pieces.back().attempt;
  if (!queued && !load.abandoned) {
    std::vector<uint32_t>& queue = load.prefetch ? prefetches_ : demands_;
    queue.insert(queue.begin(), flight.load);
  }
}

void Loader::complete(uint32_t index) {
  const Load& load = loads_[index];
  if (load.abandoned || load.error != 0) {
    return fail(index);
  }
  if (config_.verify != Verify::off) {
    verify(load);
  }
  retire(index);
  pager_.arrived(load.expert);
}

void Loader::fail(uint32_t index) {
  const Load& load = loads_[index];
  if (load.prefetch) {
    std::erase(prefetches_, index);
    give_up(index);
  } else if (outcome_) {
    const ByteRange& first = load.ranges.front();
    outcome_ = failed("{}: reading {} ({} bytes at offset {}) failed: {}", store_.files()[first.file],
                      geometry_.name(load.expert), geometry_.bytes_of(load.expert), first.offset,
                      backend_.caps().fault.empty() ? std::strerror(load.error) : backend_.caps().fault);
  }
}

// Ends the load of a prefetch that cannot or need not be finished.
void Loader::give_up(uint32_t index) {
  Load& load = loads_[index];
  retire(index);
  drop(load.expert);
  pager_.failed(load.expert);
}

void Loader::verify(const Load& load) {
  const bool whole = config_.verify == Verify::all || verify_rng_.below(kWholeCheckEvery) == 0;
  const ExpertStore::Check how = whole ? ExpertStore::Check::all : ExpertStore::Check::sample;
  const ExpertBytes spans = bytes(load.expert);
  for (size_t i = 0; i < spans.size(); ++i) {
    const ByteRange& range = load.ranges[i];
    if (!store_.check(load.expert, range, spans[i], how) && outcome_) {
      outcome_ = failed(
          "{}: the {} bytes read at offset {} for {} are not what was stored there; the file or the read "
          "path is damaged",
          store_.files()[range.file], range.bytes, range.offset, geometry_.name(load.expert));
    }
  }
  counts_.bytes_verified += geometry_.bytes_of(load.expert);
  counts_.bytes_verified_whole += whole ? geometry_.bytes_of(load.expert) : 0;
}

}  // namespace spillway
