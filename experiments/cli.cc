#include "experiments/cli.h"

#include <atomic>
#include <csignal>
#include <sstream>

namespace spillway {
namespace {

std::atomic<bool> interrupt_flag{false};  // the one thing a signal handler can reach
static_assert(std::atomic<bool>::is_always_lock_free);

void on_signal(int number) {
  interrupt_flag.store(true, std::memory_order_relaxed);
  // A second Ctrl-C ends the program at once.
  std::signal(number, SIG_DFL);
}

}  // namespace

bool interrupted() {
  return interrupt_flag.load(std::memory_order_relaxed);
}

void catch_interrupts() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  std::signal(SIGHUP, on_signal);  // a closed terminal must not leave half a store or a cgroup behind
}

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> list;
  std::istringstream pieces(text);
  for (std::string piece; std::getline(pieces, piece, ',');) {
    const bool continues = piece.find('=') != std::string::npos && piece.find(':') == std::string::npos;
    if (continues && !list.empty()) {
      list.back() += ',' + piece;
    } else if (!piece.empty()) {
      list.push_back(piece);
    }
  }
  return list;
}

CLI::Option* add_size(CLI::App& app, const std::string& name, Bytes& value, const std::string& help) {
  const auto read = [&value](const std::string& text) {
    const Result<Bytes> parsed = parse_bytes(text);
    if (!parsed) {
      throw CLI::ValidationError(parsed.error().message);
    }
    value = *parsed;
  };
  return app.add_option_function<std::string>(name, read, help)->type_name("SIZE");
}

}  // namespace spillway
