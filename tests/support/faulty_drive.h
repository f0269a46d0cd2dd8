#pragma once

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "core/expects.h"
#include "core/ports.h"
#include "core/rng.h"

namespace spillway::fake {

// What a drive does to a share of its reads, each from 0 to 1. A read has at most one of the faults of bytes,
// in the order of the list.
struct Faults {
  double transient_errors = 0;  // fails the first time with EIO, EINTR or EAGAIN
  double bad_places = 0;        // the same place of the file fails each time with EIO
  double flipped = 0;           // delivers one wrong bit
  double misdirected = 0;       // delivers the bytes of another place
  double cut_short = 0;         // says that all bytes are there, but the last ones are not
  double late = 0;              // is complete only after `late_polls` looks
  double last = 0;  // is complete only when nothing else is in flight: the latest that is not never
  bool out_of_order = false;
  uint32_t late_polls = 5;
  uint32_t silent_polls = 0;                // looks that find nothing before one that does
  std::optional<uint64_t> bad_offset = {};  // reads that cover it always fail with EIO
};

// A backend between the loader and another backend, which does to its reads what drives do to theirs. The
// seed decides which read meets which fault. Breaks an expectation when a request is not aligned, lies
// outside the attached memory, or goes into memory that another read in flight fills.
class FaultyDrive final : public Backend {
 public:
  FaultyDrive(Backend& drive, const Faults& faults, uint64_t seed)
      : drive_(drive), faults_(faults), rng_(seed), seed_(seed) {}

  const BackendCaps& caps() const override { return drive_.caps(); }

  Result<void> attach(std::span<std::byte> memory) override {
    memory_ = memory;
    return drive_.attach(memory);
  }

  size_t submit(std::span<const IoRequest> requests) override {
    const size_t taken = std::min(requests.size(), caps().depth - reads_.size());
    for (const IoRequest& request : requests.first(taken)) {
      check(request);
      const Fault fault = fault_of(request.range);
      const Read read{request, fault, fault == Fault::late ? faults_.late_polls : 0, {}, false};
      IoRequest sent = request;
      if (read.fault == Fault::misdirected) {
        // Another place of the same file, before the right one: there are always bytes there.
        sent.range.offset -= caps().alignment * (1 + rng_.below(sent.range.offset / caps().alignment));
      }
      if (request.destination != nullptr) {
        // A test notices code that looks before the bytes are there.
        std::memset(request.destination, 0xEE, request.range.bytes);
        bits_of_destinations |= uint64_t(request.destination - memory_.data());
      }
      reads_.push_back(read);
      Expects(drive_.submit({&sent, 1}) == 1);
      ++unfinished_;
    }
    most_in_flight = std::max(most_in_flight, reads_.size());
    return taken;
  }

  size_t reap(std::span<IoDone> out, size_t at_least) override {
    Expects(at_least <= std::min(out.size(), reads_.size()));
    if (at_least == 0 && silent_++ < faults_.silent_polls) {
      return 0;
    }
    silent_ = 0;
    take_in(0);
    for (Read& read : reads_) {
      read.polls -= read.polls > 0 ? 1 : 0;
    }
    std::vector<size_t> ready = deliverable();
    while (ready.size() < at_least) {
      hasten();
      ready = deliverable();
    }
    const size_t most = std::min(out.size(), ready.size());
    const size_t count = most == 0 ? 0 : std::max<size_t>(at_least, 1 + rng_.below(most));
    for (size_t i = 0; i < count; ++i) {
      const size_t pick = faults_.out_of_order ? i + rng_.below(ready.size() - i) : i;
      std::swap(ready[i], ready[pick]);
      out[i] = deliver(reads_[ready[i]]);
    }
    std::erase_if(reads_, [](const Read& read) { return read.delivered; });
    return count;
  }

  void release(const ByteRange& range) override { drive_.release(range); }

  size_t in_flight() const { return reads_.size(); }

  size_t most_in_flight = 0;
  uint64_t failures = 0;
  uint64_t spoiled = 0;               // reads that delivered wrong bytes
  uint64_t bits_of_destinations = 0;  // all bits set in any destination's offset in the memory

 private:
  enum class Fault { none, transient, bad_place, flipped, misdirected, cut_short, late, last };

  struct Read {
    IoRequest asked;
    Fault fault = Fault::none;
    uint32_t polls = 0;          // looks that it still keeps quiet
    std::optional<IoDone> done;  // what the drive said
    bool delivered = false;
  };

  void check(const IoRequest& request) const {
    const uint64_t alignment = caps().alignment;
    Expects(request.range.offset % alignment == 0 && request.range.bytes % alignment == 0);
    if (caps().zero_copy) {
      return;
    }
    Expects(request.destination >= memory_.data() &&
            request.destination + request.range.bytes <= memory_.data() + memory_.size());
    for (const Read& other : reads_) {
      Expects(request.destination + request.range.bytes <= other.asked.destination ||
              request.destination >= other.asked.destination + other.asked.range.bytes);
    }
  }

  bool is_bad(const ByteRange& range) const {
    const uint64_t place = mix64(seed_ ^ mix64(range.offset + (uint64_t{range.file} << 48)));
    return double(place >> 11) * 0x1.0p-53 < faults_.bad_places ||
           (faults_.bad_offset && *faults_.bad_offset >= range.offset &&
            *faults_.bad_offset < range.offset + range.bytes);
  }

  Fault fault_of(const ByteRange& range) {
    if (is_bad(range)) {
      return Fault::bad_place;
    }
    const bool first_time = tried_.insert({range.file, range.offset}).second;
    double chance = rng_.uniform();
    const auto falls_on = [&chance](double share) {
      const bool hit = chance < share;
      chance -= share;
      return hit;
    };
    if (falls_on(faults_.transient_errors)) {
      return first_time ? Fault::transient : Fault::none;
    }
    if (falls_on(faults_.flipped)) {
      return caps().zero_copy ? Fault::none : Fault::flipped;
    }
    if (falls_on(faults_.misdirected)) {
      return range.offset >= caps().alignment ? Fault::misdirected : Fault::none;
    }
    if (falls_on(faults_.cut_short)) {
      return caps().zero_copy ? Fault::none : Fault::cut_short;
    }
    if (falls_on(faults_.late)) {
      return Fault::late;
    }
    return falls_on(faults_.last) ? Fault::last : Fault::none;
  }

  void take_in(size_t at_least) {
    if (unfinished_ == 0) {
      return;
    }
    done_.resize(unfinished_);
    const size_t count = drive_.reap(done_, at_least);
    for (const IoDone& done : std::span(done_).first(count)) {
      const auto read = std::find_if(reads_.begin(), reads_.end(), [&](const Read& candidate) {
        return candidate.asked.tag == done.tag && !candidate.done;
      });
      Expects(read != reads_.end());
      read->done = done;
    }
    unfinished_ -= count;
  }

  std::vector<size_t> deliverable() const {
    std::vector<size_t> ready;
    for (size_t i = 0; i < reads_.size(); ++i) {
      const Read& read = reads_[i];
      if (read.done && read.polls == 0 && (read.fault != Fault::last || reads_.size() == 1)) {
        ready.push_back(i);
      }
    }
    return ready;
  }

  // Somebody waits: lets the drive finish first, then what is late, and at the end what comes last.
  void hasten() {
    if (unfinished_ > 0) {
      return take_in(1);
    }
    const auto late =
        std::find_if(reads_.begin(), reads_.end(), [](const Read& read) { return read.polls > 0; });
    if (late != reads_.end()) {
      late->polls = 0;
      return;
    }
    const auto last = std::find_if(reads_.begin(), reads_.end(),
                                   [](const Read& read) { return read.fault == Fault::last; });
    Expects(last != reads_.end());
    last->fault = Fault::none;
  }

  IoDone deliver(Read& read) {
    read.delivered = true;
    IoDone done = *read.done;
    if (done.error != 0) {
      return done;
    }
    const uint64_t bytes = read.asked.range.bytes;
    switch (read.fault) {
      case Fault::transient: {
        constexpr int kErrors[] = {EIO, EINTR, EAGAIN};
        ++failures;
        return {done.tag, kErrors[rng_.below(3)], nullptr};
      }
      case Fault::bad_place:
        ++failures;
        return {done.tag, EIO, nullptr};
      case Fault::flipped:
        ++spoiled;
        read.asked.destination[rng_.below(bytes)] ^= std::byte(1U << rng_.below(8));
        return done;
      case Fault::misdirected:
        ++spoiled;
        return done;
      case Fault::cut_short: {
        const uint64_t kept = rng_.below(bytes);
        std::memset(read.asked.destination + kept, 0xEE, bytes - kept);
        ++spoiled;
        return done;
      }
      case Fault::none:
      case Fault::late:
      case Fault::last:
        return done;
    }
    return done;
  }

  Backend& drive_;
  const Faults faults_;
  Rng rng_;
  const uint64_t seed_;
  std::span<std::byte> memory_;
  std::vector<Read> reads_;  // accepted and not yet handed on
  size_t unfinished_ = 0;    // of them, those that the drive still has
  std::vector<IoDone> done_;
  std::set<std::pair<uint32_t, uint64_t>> tried_;
  uint32_t silent_ = 0;
};

}  // namespace spillway::fake
