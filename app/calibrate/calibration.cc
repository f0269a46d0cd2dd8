#include "app/calibrate/calibration.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <utility>

#include "app/report/host.h"
#include "core/expects.h"
#include "core/text.h"
#include "host/interrupt.h"
#include "host/linux/cgroup.h"
#include "host/linux/device_bytes.h"
#include "host/linux/page_cache.h"
#include "host/posix_file.h"
#include "sim/calibration.h"

namespace spillway {
namespace {

// The least memory that reads go to: more than the processor's caches hold.
constexpr uint64_t kLeastMemory = 256 * kMiB;

// The most memory that reads go to. Each read in flight needs memory of its own, so this bounds the depth at
// which large blocks are measured.
constexpr uint64_t kMostMemory = 2 * kGiB;

// Leaves half of what this process can get to everything else.
uint64_t most_memory() {
  return std::min(kMostMemory, memory_within_reach().value_or(kMostMemory) / 2);
}

// Bytes that the page cache holds while a warm method is measured.
constexpr uint64_t kWarmBytes = 64 * kMiB;

// Smallest share of the bytes read past the page cache that the kernel must count as delivered by a drive.
// Below this share the files lie in memory. The share is a little below 1, since fewer bytes are counted
// where a file has holes or the file system packs data.
constexpr double kLeastFromDevice = 0.9;

}  // namespace

Result<std::unique_ptr<Backend>> Calibration::make_backend(const MethodPlan& method, uint64_t memory) {
  Result<std::unique_ptr<Backend>> made = method.backend.make({files_});
  if (!made) {
    return made;
  }
  if (Result<void> attached = (*made)->attach(memory_.bytes().first(memory)); !attached) {
    return propagate(attached);
  }
  return made;
}

Result<void> Calibration::open(std::vector<std::string>& refusals) {
  Result<LoadPlaces> places = LoadPlaces::of_files(files_, seed_);
  if (!places) {
    return propagate(places);
  }
  places_ = *places;
  warm_places_ = *places;
  uint64_t largest_warm = 0;
  for (const MethodPlan& method : planned_) {
    const uint64_t block = method.blocks.empty() ? 0 : method.blocks.back();
    largest_warm = std::max(largest_warm, method.start == MethodPlan::Start::warm ? block : 0);
  }
  warm_places_->limit(std::max(kWarmBytes, 4 * largest_warm));
  const uint64_t most = most_memory();
  uint64_t needed = kLeastMemory;
  for (const MethodPlan& method : planned_) {
    Result<std::unique_ptr<Backend>> backend = method.backend.make({files_});
    if (!backend && backend.error().kind == ErrorKind::usage) {
      return propagate(backend);
    }
    if (!backend) {
      refusals.push_back(fmt::format("{}: {}", method.name, backend.error().message));
      continue;
    }
    Result<uint64_t> memory = add_method(method, (*backend)->caps(), most, refusals);
    if (!memory) {
      return propagate(memory);
    }
    needed = std::max(needed, *memory);
  }
  for (size_t i = 0; i < cells_.size(); ++i) {
    order_.push_back(i);
  }
  if (methods_.empty()) {
    return unavailable("none of the methods can be measured on this machine: {}",
                       refusals.empty() ? "no method was asked for" : refusals.front());
  }
  Result<PageMemory> memory = PageMemory::allocate(needed, std::nullopt);
  if (!memory) {
    return propagate(memory);
  }
  memory_ = std::move(*memory);
  return memory_.touch();
}

// Lists the loads of a method. Returns the memory that their reads need.
Result<uint64_t> Calibration::add_method(const MethodPlan& method, const BackendCaps& caps,
                                         uint64_t most_memory, std::vector<std::string>& refusals) {
  if (method.depths.empty() || method.depths.front() > caps.depth) {
    return wrong_usage("--depth {}: must be from 1 to what {} takes at a time, {} requests",
                       method.depths.empty() ? 0 : method.depths.front(), method.backend.resolved,
                       caps.depth);
  }
  const LoadPlaces& there = method.start == MethodPlan::Start::warm ? *warm_places_ : *places_;
  for (const uint64_t block : method.blocks) {
    if (there.blocks_of(block) < 2) {
      return failed("{}: too small for reads of {}; the file must hold at least {}", files_[0],
                    format_bytes(block), format_bytes(2 * block));
    }
  }
  uint64_t needed = 0;
  std::vector<uint32_t> depths;
  for (const uint32_t depth : method.depths) {
    const uint64_t memory = caps.zero_copy ? 0 : memory_for_load(method.blocks.back(), depth);
    if (depth <= caps.depth && memory <= most_memory) {
      depths.push_back(depth);
      needed = std::max(needed, memory);
    } else if (depth <= caps.depth) {
      // All block sizes lose the depth, so that the points form a full grid.
      refusals.push_back(
          fmt::format("{} at depth {}: {} reads of {} in flight need {} of memory, and {} is the most that "
                      "is used; choose "
                      "smaller blocks with --block or a lower --depth",
                      method.name, depth, depth, exact_bytes(Bytes{method.blocks.back()}),
                      format_bytes(memory), format_bytes(most_memory)));
    }
  }
  if (depths.empty()) {
    return needed;
  }
  methods_.push_back(method);
  results_.push_back({method.name, method.backend.resolved, caps.depth, caps.alignment, {}, {}});
  for (const uint64_t block : method.blocks) {
    for (const uint32_t depth : depths) {
      cells_.push_back({.method = methods_.size() - 1, .block = block, .depth = depth});
      if (method.sequential) {
        cells_.push_back({.method = methods_.size() - 1, .block = block, .depth = depth, .sequential = true});
      }
    }
  }
  return needed;
}

// Reads once all bytes that the warm methods read, so that the page cache holds them.
Result<void> Calibration::warm_up(Backend& backend) {
  warm_places_->begin(kMiB, LoadPlaces::Order::sequential);
  std::vector<IoDone> done(1);
  for (uint64_t i = 0; i < warm_places_->blocks_of(kMiB); ++i) {
    const IoRequest request{i, warm_places_->next(), memory_.bytes().data()};
    Ensures(backend.submit(std::span(&request, 1)) == 1 && backend.reap(done, 1) == 1);
    if (done[0].error != 0) {
      return failed("{}: reading at {} failed: {}", files_[request.range.file], request.range.offset,
                    error_text(done[0].error));
    }
  }
  return {};
}

Result<void> Calibration::measure(Cell& cell, Nanoseconds duration) {
  const MethodPlan& method = methods_[cell.method];
  using Start = MethodPlan::Start;
  // Each measurement uses a new backend, since pages that an old backend has mapped cannot be dropped.
  // Registering memory takes time, so only a load that needs more gets more.
  const std::span<std::byte> memory = memory_.bytes().first(
      std::min(memory_.size(), std::max(kLeastMemory, memory_for_load(cell.block, cell.depth))));
  Result<std::unique_ptr<Backend>> backend = make_backend(method, memory.size());
  if (!backend) {
    return propagate(backend);
  }
  if (method.start != Start::warm) {
    // Cached pages slow down even direct reads, since the kernel must keep both views of the file consistent.
    if (Result<void> dropped = drop_page_cache(files_); !dropped) {
      return dropped;
    }
  }
  LoadPlaces& places = method.start == Start::warm ? *warm_places_ : *places_;
  const SteadyLoad load = {.block = cell.block,
                           .depth = cell.depth,
                           .order = cell.sequential                 ? LoadPlaces::Order::sequential
                                    : method.start == Start::direct ? LoadPlaces::Order::random
                                                                    : LoadPlaces::Order::scattered,
                           .duration = duration,
                           .stretch = method.stretch,
                           .pause = method.pause};
  if (method.start == Start::warm) {
    if (Result<void> warmed = warm_up(**backend); !warmed) {
      return warmed;
    }
  }
  const double cpu_before = process_cpu_seconds();
  const std::optional<uint64_t> before = process_device_bytes();
  const LoadResult got = (method.stretch > 0 ? run_batches : run_load)(**backend, places, load, memory);
  const std::optional<uint64_t> after = process_device_bytes();
  if (got.error != 0) {
    return failed("{}: reading {} bytes by {} failed: {}", files_[0], cell.block, method.backend.text,
                  got.why);
  }
  cell.measured = true;
  if (method.start == Start::direct) {
    best_bytes_per_s_ = std::max(best_bytes_per_s_, got.bytes_per_s);
  }
  cell.cpu_s += process_cpu_seconds() - cpu_before;
  cell.bytes += got.requested_bytes;
  if (got.bytes_per_s > 0 && !got.latencies_ns.empty()) {
    cell.rates.push_back(got.bytes_per_s);
    cell.latencies_ns.insert(cell.latencies_ns.end(), got.latencies_ns.begin(), got.latencies_ns.end());
  }
  if (method.start == Start::direct) {
    counted_ = counted_ && before && after;
    direct_bytes_ += got.requested_bytes;
    delivered_bytes_ += counted_ ? *after - *before : 0;
  }
  return {};
}

// Finds out, once for each direct method, whether the drive reports reads only after all have finished.
Result<void> Calibration::see_how_reads_are_told() {
  if (std::exchange(told_seen_, true)) {
    return {};
  }
  for (size_t i = 0; i < methods_.size(); ++i) {
    if (methods_[i].start == MethodPlan::Start::direct) {
      Result<std::unique_ptr<Backend>> backend = make_backend(methods_[i], kLeastMemory);
      if (!backend) {
        return propagate(backend);
      }
      results_[i].tells_all_at_once = tells_all_at_once(**backend, *places_, memory_.bytes());
    }
  }
  return {};
}

Result<void> Calibration::check_origin() {
  const bool evident = delivered_bytes_ > 0 || zero_is_evidence(files_);
  if (counted_ && evident && double(delivered_bytes_) < kLeastFromDevice * double(direct_bytes_)) {
    return failed(
        "{}: {} were read past the page cache, but the kernel says that only {} came from a drive; the file "
        "is in memory or on a file system with a cache of its own: choose a folder on the drive to measure",
        files_[0], format_bytes(direct_bytes_), format_bytes(delivered_bytes_));
  }
  return {};
}

Result<void> Calibration::measure_round(Nanoseconds duration) {
  if (Result<void> seen = see_how_reads_are_told(); !seen) {
    return seen;
  }
  const Nanoseconds each =
      std::max<Nanoseconds>(duration / int64_t(cells_.size()), std::chrono::milliseconds(20));
  // Each round has another order, so that a disturbance from outside does not always hit the same load.
  for (size_t i = cells_.size(); i > 1; --i) {
    std::swap(order_[i - 1], order_[rng_.below(i)]);
  }
  for (const size_t index : order_) {
    if (interrupted()) {
      return failed("interrupted while the drive was measured; nothing was written");
    }
    if (Result<void> measured = measure(cells_[index], each); !measured) {
      return measured;
    }
  }
  return check_origin();
}

// Groups the loads of one method at one depth, since a profile needs every block size at a depth. Which depth
// serves best and how much a single read gets matter most, then the other ways to read.
std::vector<MeasuringPlan::Load> Calibration::loads_by_group() const {
  const auto rank = [](const std::vector<uint32_t>& depths, uint32_t depth) {
    const size_t middle = depths.size() / 2;
    const auto at = size_t(std::find(depths.begin(), depths.end(), depth) - depths.begin());
    return at == middle ? 0 : at == 0 ? 1 : at + 1 == depths.size() ? 2 : 3 + at;
  };
  constexpr size_t kOtherMethods = 3;
  constexpr size_t kSequential = 4;
  using Key = std::array<size_t, 4>;
  std::map<Key, size_t> groups;
  std::vector<Key> keys;
  for (const Cell& cell : cells_) {
    const size_t after = cell.sequential ? kSequential : cell.method > 0 ? kOtherMethods : 0;
    keys.push_back({after + rank(methods_[cell.method].depths, cell.depth), cell.method,
                    size_t(cell.sequential), cell.depth});
    groups[keys.back()] = 0;
  }
  size_t number = 0;
  for (auto& [key, group] : groups) {
    group = number++;
  }
  std::vector<MeasuringPlan::Load> loads;
  for (size_t i = 0; i < cells_.size(); ++i) {
    loads.push_back({groups[keys[i]], cells_[i].method, cells_[i].block * cells_[i].depth});
  }
  return loads;
}

// Names the methods and depths without any measurement.
std::string Calibration::unmeasured() const {
  std::vector<std::string> names;
  for (size_t method = 0; method < methods_.size(); ++method) {
    const std::string& name = methods_[method].name;
    std::vector<std::string> random;
    std::vector<std::string> sequential;
    bool none = true;
    for (const Cell& cell : cells_) {
      if (cell.method == method && !cell.measured) {
        add_once(cell.sequential ? sequential : random, fmt::format("{}", cell.depth));
      }
      none = none && (cell.method != method || !cell.measured);
    }
    if (none) {
      names.push_back(name);
      continue;
    }
    if (!random.empty()) {
      names.push_back(fmt::format("{} at depth {}", name, join(random, ", ")));
    }
    if (!sequential.empty()) {
      names.push_back(fmt::format("sequential {} at depth {}", name, join(sequential, ", ")));
    }
  }
  return join(names, "; ");
}

Result<void> Calibration::measure_until(std::chrono::steady_clock::time_point start, Nanoseconds time,
                                        uint32_t rounds, FunctionRef<void(Nanoseconds)> tell,
                                        std::vector<std::string>& left_out) {
  if (Result<void> seen = see_how_reads_are_told(); !seen) {
    return seen;
  }
  MeasuringPlan plan(loads_by_group(), rounds, time, seed_);
  const auto spent = [&] { return Nanoseconds(std::chrono::steady_clock::now() - start); };
  while (const auto next = plan.next(spent(), best_bytes_per_s_)) {
    if (interrupted()) {
      return failed("interrupted while the drive was measured; nothing was written");
    }
    const Nanoseconds before = spent();
    if (Result<void> measured = measure(cells_[next->load], next->duration); !measured) {
      return measured;
    }
    plan.took(next->load, next->duration, spent() - before);
    tell(spent());
  }
  if (std::string names = unmeasured(); !names.empty()) {
    left_out.push_back(fmt::format("{}: no time was left; give more with --time", names));
  }
  return check_origin();
}

Result<void> Calibration::measure_burst_and_rest(Nanoseconds time) {
  constexpr int kPieces = 15;
  constexpr uint64_t kLarge = 4 * kMiB;  // larger blocks are read no faster, and take a slow drive long
  const MethodPlan& method = methods_[0];
  if (method.start != MethodPlan::Start::direct) {
    return {};
  }
  Result<std::unique_ptr<Backend>> backend = make_backend(method, memory_.size());
  if (!backend) {
    return propagate(backend);
  }
  uint64_t block = method.blocks.front();
  for (const uint64_t other : method.blocks) {
    block = other <= kLarge ? other : block;
  }
  const uint64_t room = memory_.size() / memory_for_load(block, 1);
  const auto depth = uint32_t(std::min<uint64_t>({8, (*backend)->caps().depth, room}));
  const auto start = std::chrono::steady_clock::now();
  std::vector<double> rates;
  for (int i = 0; i < kPieces && !interrupted(); ++i) {
    if (rates.size() >= 2 && std::chrono::steady_clock::now() - start >= time) {
      break;
    }
    const LoadResult got = run_load(
        **backend, *places_, {.block = block, .depth = depth, .duration = time / kPieces}, memory_.bytes());
    if (got.error != 0) {
      return failed("{}: reading by {} failed: {}", files_[0], method.backend.text, got.why);
    }
    rates.push_back(got.bytes_per_s);
    best_bytes_per_s_ = std::max(best_bytes_per_s_, got.bytes_per_s);
  }
  if (rates.size() < 2) {
    return failed("interrupted while the drive was measured; nothing was written");
  }
  burst_ = rates[0];
  sustained_ = bootstrap_median(std::span(rates).subspan(rates.size() / 2), seed_).middle;
  return {};
}

}  // namespace spillway
