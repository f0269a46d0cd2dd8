#pragma once

#include <atomic>
#include <utility>

namespace spillway {

// Facts that a signal handler may read at any moment, in any thread. Entries are only ever added, since an
// entry that a handler may be reading must neither change nor be freed; an entry that is no longer needed is
// switched off. Each costs its memory until the process ends.
template <class Fact>
class SignalList {
 public:
  struct Entry {
    const Fact fact;
    std::atomic<bool> wanted{true};
    Entry* next = nullptr;
  };

  constexpr SignalList() = default;

  Entry* add(Fact fact) {
    auto* const entry = new Entry{.fact = std::move(fact)};
    entry->next = newest_.load();
    while (!newest_.compare_exchange_weak(entry->next, entry)) {
    }
    return entry;
  }

  // Calls `look` with each fact that is switched on, the newest first. Async-signal-safe if `look` is.
  template <class Look>
  void each(Look look) const {
    for (const Entry* entry = newest_; entry != nullptr; entry = entry->next) {
      if (entry->wanted) {
        look(entry->fact);
      }
    }
  }

 private:
  static_assert(std::atomic<Entry*>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

  std::atomic<Entry*> newest_{nullptr};
};

}  // namespace spillway
