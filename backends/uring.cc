#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <thread>

#include "backends/store_files.h"
#include "backends/uring_ring.h"
#include "core/expects.h"
#include "core/plugins.h"
#include "host/overdue_read.h"

namespace spillway::backend {
namespace {

struct UringOptions {
  bool direct = true;
  uint32_t depth = 64;
  Bytes chunk{0};
  bool fixed = true;
  bool sqpoll = false;
  bool iopoll = false;

  template <class V>
  void visit(V& v) {
    v("direct", direct, "read with O_DIRECT, past the page cache");
    v("depth", depth, "reads in flight at the drive");
    v("chunk", chunk, "size of the reads that requests are cut into; 0: one read per request");
    v("fixed", fixed, "register the cache's memory with the kernel");
    v("sqpoll", sqpoll, "let a kernel thread submit the reads; occupies a core");
    v("iopoll", iopoll, "poll the drive for completions; needs a drive with poll queues");
  }
};

constexpr uint32_t kMostDepth = 16384;  // half of the most entries that one ring can have

// The kernel moves less than 2 GiB in one read. This is the largest power of two below that, so it
// keeps every alignment.
constexpr uint64_t kLongestRead = UringRing::kRegisteredPiece;

// Bounds the attempts of a read that again and again brings neither bytes nor a lasting error.
constexpr uint32_t kMostFruitlessTries = 1000;

// Cuts requests into reads, at `chunk` and where a registered buffer ends. Bytes for which no read is free
// wait their turn, so `depth` bounds both the reads at the drive and the requests accepted.
class UringBackend final : public Backend {
 public:
  UringBackend(const UringOptions& options, StoreFiles store, UringRing ring);
  ~UringBackend() override;

  UringBackend(const UringBackend&) = delete;
  UringBackend& operator=(const UringBackend&) = delete;

  const BackendCaps& caps() const override { return caps_; }
  Result<void> attach(std::span<std::byte> memory) override;
  size_t submit(std::span<const IoRequest> requests) override;
  size_t reap(std::span<IoDone> out, size_t at_least) override;

 private:
  struct Request {
    IoRequest asked;
    ReadExtent extent;
    uint64_t issued = 0;  // bytes of extent.ask for which reads were issued
    uint32_t reads = 0;   // reads in flight
    int error = 0;        // of the first read that failed
    std::chrono::steady_clock::time_point submitted = {};
  };

  // One read in flight: bytes [begin, end) of a request are still to come.
  struct Read {
    uint32_t request = 0;
    uint32_t fruitless = 0;  // consecutive attempts that brought no bytes
    uint64_t begin = 0;
    uint64_t end = 0;
  };

  void issue();
  void prepare(uint32_t read_index);
  uint64_t next_length(const Request& request) const;
  void enter(unsigned wait_for);
  size_t consume(std::span<IoDone> out);
  bool read_ended(uint32_t read_index, int result);
  IoDone release_request(uint32_t request_index);
  void look_at_slowest();
  std::vector<bool> active_requests() const;
  void give_up(int error, std::string fault);
  void await_reads_of_the_kernel();
  void write_note(std::string_view buffers);

  const UringOptions options_;
  const StoreFiles store_;
  UringRing ring_;
  BackendCaps caps_;
  bool files_registered_ = false;
  std::span<std::byte> memory_;  // the registered memory; empty if none is registered

  std::vector<Request> requests_;
  std::vector<uint32_t> free_requests_;
  std::vector<Read> reads_;
  std::vector<uint32_t> free_reads_;
  std::deque<uint32_t> waiting_;        // requests with bytes that are not issued yet, in order of arrival
  std::vector<uint32_t> retries_;       // reads to issue again
  std::vector<uint32_t> without_read_;  // requests that are complete without a read: empty or refused
  int refusal_ = 0;                     // errno with which all requests end once the ring is given up
  OverdueWatch watch_;
};

UringBackend::UringBackend(const UringOptions& options, StoreFiles store, UringRing ring)
    : options_(options), store_(std::move(store)), ring_(std::move(ring)) {
  std::vector<int> descriptors;
  for (const StoreFile& file : store_.files) {
    descriptors.push_back(file.handle.get());
  }
  files_registered_ = ring_.register_files(descriptors);
  caps_.alignment = store_.alignment;
  caps_.depth = options.depth;
  requests_.resize(options.depth);
  reads_.resize(options.depth);
  for (uint32_t i = options.depth; i-- > 0;) {
    free_requests_.push_back(i);
    free_reads_.push_back(i);
  }
  write_note("memory not registered");
}

UringBackend::~UringBackend() {
  // Waits for the reads in flight, because the kernel writes into the caller's memory until the last has
  // ended. Reads that have not begun are cancelled.
  for (const uint32_t index : waiting_) {
    requests_[index].error = ECANCELED;
  }
  waiting_.clear();
  for (const uint32_t index : retries_) {
    free_reads_.push_back(index);
  }
  retries_.clear();
  std::array<IoDone, 64> unwanted;
  while (refusal_ == 0 && free_reads_.size() + retries_.size() < reads_.size()) {
    enter(1);
    consume(unwanted);
  }
}

Result<void> UringBackend::attach(std::span<std::byte> memory) {
  Expects(free_requests_.size() == requests_.size());
  memory_ = {};
  if (!options_.fixed) {
    return {};
  }
  const int error = ring_.register_memory(memory);
  if (error == 0) {
    memory_ = memory;
    write_note("memory registered");
  } else {
    write_note(fmt::format("registering {} of memory refused: {}{}", format_bytes(memory.size()),
                           error_text(error), error == ENOMEM ? " (raise RLIMIT_MEMLOCK)" : ""));
  }
  return {};
}

void UringBackend::write_note(std::string_view buffers) {
  caps_.note =
      fmt::format("{}, {}, files {}registered, {}", options_.direct ? "O_DIRECT" : "through the page cache",
                  buffers, files_registered_ ? "" : "not ", ring_.granted());
}

size_t UringBackend::submit(std::span<const IoRequest> requests) {
  const size_t accepted = std::min(requests.size(), free_requests_.size());
  const auto now = std::chrono::steady_clock::now();
  for (const IoRequest& asked : requests.first(accepted)) {
    const uint32_t index = free_requests_.back();
    free_requests_.pop_back();
    const ReadExtent extent = read_extent(store_, asked.range);
    requests_[index] = {.asked = asked,
                        .extent = extent,
                        .error = extent.error != 0 ? extent.error : refusal_,
                        .submitted = now};
    if (extent.need > 0 && refusal_ == 0) {
      waiting_.push_back(index);
    } else {
      without_read_.push_back(index);
    }
  }
  issue();
  return accepted;
}

size_t UringBackend::reap(std::span<IoDone> out, size_t at_least) {
  Expects(at_least <= out.size() && at_least <= requests_.size() - free_requests_.size());
  size_t count = 0;
  while (true) {
    while (count < out.size() && !without_read_.empty()) {
      out[count++] = release_request(without_read_.back());
      without_read_.pop_back();
    }
    count += consume(out.subspan(count));
    issue();
    if (count >= at_least) {
      return count;
    }
    if (without_read_.empty()) {
      enter(unsigned(std::min(at_least - count, reads_.size() - free_reads_.size())));
    }
  }
}

// Hands as many reads to the kernel as may be in flight, with one system call.
void UringBackend::issue() {
  for (const uint32_t index : retries_) {
    prepare(index);
  }
  retries_.clear();
  while (!waiting_.empty() && !free_reads_.empty()) {
    const uint32_t request_index = waiting_.front();
    Request& request = requests_[request_index];
    const uint64_t length = next_length(request);
    const uint32_t index = free_reads_.back();
    free_reads_.pop_back();
    reads_[index] = {.request = request_index, .begin = request.issued, .end = request.issued + length};
    ++request.reads;
    request.issued += length;
    if (request.issued == request.extent.ask) {
      waiting_.pop_front();
    }
    prepare(index);
  }
  if (io_uring_sq_ready(ring_.get()) > 0 && refusal_ == 0) {
    enter(0);
  }
}

uint64_t UringBackend::next_length(const Request& request) const {
  uint64_t length = std::min(request.extent.ask - request.issued, kLongestRead);
  if (options_.chunk.count > 0) {
    length = std::min(length, options_.chunk.count);
  }
  if (!memory_.empty()) {
    const auto within = uint64_t(request.asked.destination + request.issued - memory_.data());
    length = std::min(length, UringRing::kRegisteredPiece - within % UringRing::kRegisteredPiece);
  }
  return length;
}

void UringBackend::prepare(uint32_t read_index) {
  const Read& read = reads_[read_index];
  const Request& request = requests_[read.request];
  const ByteRange& range = request.asked.range;
  std::byte* destination = request.asked.destination + read.begin;
  const int file = files_registered_ ? int(range.file) : store_.files[range.file].handle.get();
  io_uring_sqe* entry = io_uring_get_sqe(ring_.get());
  Expects(entry != nullptr);  // the ring has a place for each read
  if (memory_.empty()) {
    io_uring_prep_read(entry, file, destination, unsigned(read.end - read.begin), range.offset + read.begin);
  } else {
    const auto within = uint64_t(destination - memory_.data());
    Expects(within < memory_.size());
    io_uring_prep_read_fixed(entry, file, destination, unsigned(read.end - read.begin),
                             range.offset + read.begin, int(within / UringRing::kRegisteredPiece));
  }
  if (files_registered_) {
    entry->flags |= IOSQE_FIXED_FILE;
  }
  io_uring_sqe_set_data64(entry, read_index);
}

void UringBackend::enter(unsigned wait_for) {
  const int error = refusal_ == 0 ? ring_.enter(wait_for) : 0;
  if (error == ETIME) {
    look_at_slowest();
  } else if (error != 0) {
    // A security policy may have come into force after the ring was made.
    await_reads_of_the_kernel();
    give_up(error, describe_refusal(error));
  }
}

// Returns which requests wait for reads.
std::vector<bool> UringBackend::active_requests() const {
  std::vector<bool> active(requests_.size(), true);
  for (const std::vector<uint32_t>* list : {&free_requests_, &without_read_}) {
    for (const uint32_t index : *list) {
      active[index] = false;
    }
  }
  return active;
}

void UringBackend::look_at_slowest() {
  const std::vector<bool> active = active_requests();
  const Request* slowest = nullptr;
  for (size_t i = 0; i < requests_.size(); ++i) {
    if (active[i] && (slowest == nullptr || requests_[i].submitted < slowest->submitted)) {
      slowest = &requests_[i];
    }
  }
  if (slowest == nullptr) {
    return;
  }
  const ByteRange& range = slowest->asked.range;
  const OverdueRead read = {store_.files[range.file].path, range.offset, range.bytes,
                            std::chrono::steady_clock::now() - slowest->submitted};
  if (watch_.gives_up(read)) {
    give_up(ECANCELED, describe(read));
  }
}

// Ends all requests with the error, and all later ones.
void UringBackend::give_up(int error, std::string fault) {
  refusal_ = error;
  caps_.fault = std::move(fault);
  waiting_.clear();
  retries_.clear();
  const std::vector<bool> active = active_requests();
  for (uint32_t i = 0; i < requests_.size(); ++i) {
    if (active[i]) {
      requests_[i].error = error;
      without_read_.push_back(i);
    }
  }
}

// Waits until the kernel has written what it was asked for, since the memory is the caller's again
// afterwards. A kernel that does not even report completions any more gets the time in which every drive
// answers.
void UringBackend::await_reads_of_the_kernel() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  const size_t never_sent = io_uring_sq_ready(ring_.get()) + retries_.size();
  while (reads_.size() - free_reads_.size() > never_sent && std::chrono::steady_clock::now() < deadline) {
    io_uring_cqe* event = nullptr;
    if (io_uring_peek_cqe(ring_.get(), &event) == 0) {
      free_reads_.push_back(uint32_t(io_uring_cqe_get_data64(event)));
      io_uring_cqe_seen(ring_.get(), event);
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

// Takes completed reads from the ring. Writes the requests that they complete to a prefix of `out` and
// returns its length.
size_t UringBackend::consume(std::span<IoDone> out) {
  if (refusal_ != 0) {
    return 0;  // what still arrives belongs to requests that have ended
  }
  if (options_.iopoll) {
    // With IOPOLL, completions arrive only when they are asked for.
    io_uring_get_events(ring_.get());
  }
  std::array<io_uring_cqe*, 64> ready;
  size_t count = 0;
  while (count < out.size()) {
    const auto room = unsigned(std::min(ready.size(), out.size() - count));
    const unsigned taken = io_uring_peek_batch_cqe(ring_.get(), ready.data(), room);
    if (taken == 0) {
      break;
    }
    for (const io_uring_cqe* event : std::span(ready).first(taken)) {
      const auto read_index = uint32_t(io_uring_cqe_get_data64(event));
      const uint32_t request_index = reads_[read_index].request;
      if (read_ended(read_index, event->res)) {
        out[count++] = release_request(request_index);
      }
    }
    watch_.relax();
    io_uring_cq_advance(ring_.get(), taken);
  }
  return count;
}

// Takes the result of one attempt of a read: schedules the read again for the missing bytes, or ends it.
// Returns true if that completes the request.
bool UringBackend::read_ended(uint32_t read_index, int result) {
  Read& read = reads_[read_index];
  Request& request = requests_[read.request];
  const uint64_t got = result > 0 ? uint64_t(result) : 0;
  const bool whole = result >= 0 && read.begin + got >= std::min(read.end, request.extent.need);
  if (!whole && request.error == 0) {
    // A direct read can only continue at an aligned offset.
    const uint64_t gained = round_down(got, store_.alignment);
    read.begin += gained;
    read.fruitless = gained > 0 ? 0 : read.fruitless + 1;
    const bool again = result > 0 || is_transient(-result);
    if (again && read.fruitless < kMostFruitlessTries) {
      retries_.push_back(read_index);
      return false;
    }
    request.error = result < 0 ? -result : EIO;  // neither an error nor bytes: the file has shrunk
  }
  free_reads_.push_back(read_index);
  --request.reads;
  if (request.error != 0 && request.issued < request.extent.ask) {
    // The rest of a failed request is not read.
    request.issued = request.extent.ask;
    std::erase(waiting_, read.request);
  }
  return request.reads == 0 && request.issued == request.extent.ask;
}

IoDone UringBackend::release_request(uint32_t request_index) {
  const Request& request = requests_[request_index];
  free_requests_.push_back(request_index);
  return {.tag = request.asked.tag, .error = request.error, .data = request.asked.destination};
}

Result<void> check_options(const UringOptions& options) {
  if (options.depth == 0 || options.depth > kMostDepth) {
    return wrong_usage("uring: depth={} is not between 1 and {}", options.depth, kMostDepth);
  }
  if (options.iopoll && !options.direct) {
    return wrong_usage("uring: iopoll=1 needs direct=1; only direct reads can be polled");
  }
  return {};
}

Result<std::unique_ptr<Backend>> make(const UringOptions& options, const BackendEnv& env) {
  if (Result<void> sane = check_options(options); !sane) {
    return propagate(sane);
  }
  Result<StoreFiles> store = open_store_files(env.files, options.direct);
  if (!store) {
    return propagate(store);
  }
  if (options.chunk.count % store->alignment != 0) {
    return wrong_usage("uring: chunk={} is not a multiple of the drive's block of {} bytes",
                       exact_bytes(options.chunk), store->alignment);
  }
  Result<UringRing> ring =
      UringRing::open({.entries = options.depth, .sqpoll = options.sqpoll, .iopoll = options.iopoll});
  if (!ring) {
    return propagate(ring);
  }
  if (options.iopoll && !store->files.empty()) {
    if (Result<void> polled = ring->try_polling(store->files.front(), store->alignment); !polled) {
      return propagate(polled);
    }
  }
  return std::make_unique<UringBackend>(options, std::move(*store), std::move(*ring));
}

}  // namespace

BackendPlugin uring() {
  return plugin<Backend, BackendEnv, UringOptions>(
      "uring", "io_uring past the page cache into registered memory", make,
      [](const UringOptions& options) { return Traits{.is_direct = options.direct}; });
}

}  // namespace spillway::backend
