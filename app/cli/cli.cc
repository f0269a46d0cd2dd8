#include "app/cli/cli.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <climits>
#include <csignal>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string_view>

#include "core/result.h"
#include "host/mapped_name.h"
#include "host/sudden_end.h"

namespace spillway {
namespace {

// Time of the first signal in nanoseconds; 0: no signal has come.
std::atomic<int64_t> first_signal_ns{0};
static_assert(std::atomic<int64_t>::is_always_lock_free);

// `timeout` signals its child and then its group, so one request to end may come twice in a row.
constexpr int64_t kSameWishNs = 300'000'000;

// Signals that others send to end this program, or that one of their timers sends when time is up.
constexpr std::array kWishes = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,   SIGXCPU,
                                SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF};

// Signals that a bug of this program or a fault of the machine raises.
constexpr std::array kCrashes = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV};

void on_wish(int number) {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  const int64_t now = int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec + 1;
  interrupt();
  int64_t first = 0;
  if (first_signal_ns.compare_exchange_strong(first, now) || now - first < kSameWishNs) {
    return;
  }
  take_end_steps();
  std::signal(number, SIG_DFL);
  ::kill(::getpid(), number);  // ends the process when this handler returns
}

// Builds a line without any memory but its own, as a signal handler has to.
class SignalLine {
 public:
  void add(std::string_view text) {
    for (const char c : text) {
      if (size_ < text_.size()) {
        text_[size_++] = c;
      }
    }
  }
  // Adds a path with control characters as \xNN.
  void add_path(std::string_view path) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (const char c : path) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte >= 0x20 && byte != 0x7f) {
        add({&c, 1});
      } else {
        const std::array<char, 4> escaped = {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
        add({escaped.data(), escaped.size()});
      }
    }
  }
  void add_number(uint64_t number) {
    std::array<char, 20> digits{};
    size_t at = digits.size();
    do {
      digits[--at] = char('0' + number % 10);
      number /= 10;
    } while (number > 0);
    add({&digits[at], digits.size() - at});
  }
  void write_to_stderr() const {
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text_.data(), size_);
  }

 private:
  std::array<char, 4 * PATH_MAX + 256> text_{};  // the longest path fits, with every byte escaped
  size_t size_ = 0;
};

// Ends the process as a failed read does. Computation cannot go on without the page.
[[noreturn]] void end_for_lost_page(const MappedPlace& place) {
  SignalLine line;
  line.add("spillway: ");
  line.add_path(*place.path);
  line.add(": the page at offset ");
  line.add_number(place.offset);
  line.add(" cannot be read any more: the file has shrunk, or its drive failed\n");
  line.write_to_stderr();
  ::_exit(int(ErrorKind::failed));
}

void on_crash(int number, siginfo_t* info, void*) {
  // Threads that compute on the same mapping crash together; the first cleans up for all.
  static std::atomic_flag taken = ATOMIC_FLAG_INIT;
  while (taken.test_and_set()) {
    ::pause();
  }
  take_end_steps();
  if (number == SIGBUS && info->si_code == BUS_ADRERR) {
    if (const std::optional<MappedPlace> place = mapped_at(info->si_addr)) {
      end_for_lost_page(*place);
    }
    constexpr std::string_view kWhy =
        "spillway: a mapped file has shrunk, or its drive failed to deliver a page of it\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kWhy.data(), kWhy.size());
  }
  std::signal(number, SIG_DFL);
  ::raise(number);  // ends the process when this handler returns
}

// Installs `action` if the signal has its default action. A signal that was ignored when the program
// started stays ignored, as nohup and a shell's background jobs ask for. A sanitizer's handler stays
// too, since it reports more about a crash. SA_RESTART is never set: a signal must end the wait for the
// other end of a pipe.
void handle(int number, struct sigaction action) {
  struct sigaction before = {};
  if (::sigaction(number, nullptr, &before) == 0 && before.sa_handler == SIG_DFL) {
    ::sigfillset(&action.sa_mask);
    ::sigaction(number, &action, nullptr);
  }
}

}  // namespace

void catch_interrupts() {
  for (const int number : kWishes) {
    struct sigaction action = {};
    action.sa_handler = on_wish;
    handle(number, action);
  }
  for (const int number : kCrashes) {
    struct sigaction action = {};
    action.sa_sigaction = on_crash;
    action.sa_flags = SA_SIGINFO;
    handle(number, action);
  }
  // A reader that has gone away and a file beyond the size limit are errors of the write. They are reported
  // and cleaned up like any other error.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

void add_commands(Command app, Invocation& invocation) {
#ifdef SPILLWAY_STORAGE
  add_replay_command(app, invocation);
  add_record_command(app, invocation);
  add_perplexity_command(app, invocation);
  add_gap_command(app, invocation);
  add_calibrate_command(app, invocation);
  add_pack_command(app, invocation);
  add_cache_commands(app, invocation);
#endif
  add_simulate_command(app, invocation);
  add_curve_command(app, invocation);
  add_plan_command(app, invocation);
  add_sweep_command(app, invocation);
  add_compare_command(app, invocation);
  add_report_command(app, invocation);
  add_quantize_command(app, invocation);
  add_trace_commands(app, invocation);
  add_list_command(app, invocation);
  add_man_command(app, invocation);
  add_completion_commands(app, invocation);
}

std::vector<std::string> split_list(const std::string& text, const std::vector<std::string>& names) {
  std::vector<std::string> list;
  std::istringstream pieces(text);
  for (std::string piece; std::getline(pieces, piece, ',');) {
    const bool is_value = piece.find('=') < piece.find(':');  // npos is the largest position
    const bool is_switch = piece.find_first_of("=:") == std::string::npos && !names.empty() &&
                           !list.empty() && list.back().find(':') != std::string::npos &&
                           std::find(names.begin(), names.end(), piece) == names.end();
    if ((is_value || is_switch) && !list.empty()) {
      list.back() += ',' + piece;
    } else if (!piece.empty()) {
      list.push_back(piece);
    }
  }
  return list;
}

}  // namespace spillway
