#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <vector>

// The papers' policies, step by step as the papers describe them: pages of one size, one request at a time,
// and no thought of speed.
namespace spillway {

using Page = uint32_t;
using Pages = std::list<Page>;  // LRU or oldest in front, unless noted otherwise

inline bool holds(const Pages& pages, Page page) {
  return std::find(pages.begin(), pages.end(), page) != pages.end();
}

inline void take(Pages& pages, Page page) {
  pages.erase(std::find(pages.begin(), pages.end(), page));
}

inline Page take_front(Pages& pages) {
  const Page page = pages.front();
  pages.pop_front();
  return page;
}

// Requests a page; returns true when the page was there.
struct Paper {
  virtual ~Paper() = default;
  virtual bool request(Page page) = 0;
};

// Frames in a circle, each with a count, and a hand that points at one of them.
class PaperClock final : public Paper {
 public:
  PaperClock(size_t frames, uint32_t initial, uint32_t most)
      : frames_(frames), initial_(initial), most_(most) {}

  bool request(Page page) override {
    for (Frame& frame : buffer_) {
      if (frame.page == page) {
        frame.count = std::min(frame.count + 1, most_);
        return true;
      }
    }
    if (buffer_.size() < frames_) {
      buffer_.push_back({page, initial_});
      return false;
    }
    while (buffer_[hand_].count > 0) {
      --buffer_[hand_].count;
      hand_ = (hand_ + 1) % frames_;
    }
    buffer_[hand_] = {page, initial_};
    hand_ = (hand_ + 1) % frames_;
    return false;
  }

 private:
  struct Frame {
    Page page = 0;
    uint32_t count = 0;
  };

  size_t frames_;
  uint32_t initial_;
  uint32_t most_;
  size_t hand_ = 0;
  std::vector<Frame> buffer_;
};

// Algorithm 1 of the SIEVE paper. The head of the paper's list, where pages arrive, is the front here.
class PaperSieve final : public Paper {
 public:
  explicit PaperSieve(size_t size) : size_(size) {}

  bool request(Page page) override {
    for (Object& object : objects_) {
      if (object.page == page) {
        object.visited = true;
        return true;
      }
    }
    if (objects_.size() == size_) {
      auto object = hand_ ? *hand_ : std::prev(objects_.end());
      while (object->visited) {
        object->visited = false;
        object = object == objects_.begin() ? std::prev(objects_.end()) : std::prev(object);
      }
      if (object == objects_.begin()) {
        hand_.reset();
      } else {
        hand_ = std::prev(object);
      }
      objects_.erase(object);
    }
    objects_.push_front({page, false});
    return false;
  }

 private:
  struct Object {
    Page page = 0;
    bool visited = false;
  };

  size_t size_;
  std::list<Object> objects_;
  std::optional<std::list<Object>::iterator> hand_;
};

// Algorithm 1 of the S3-FIFO paper without its lines 25 and 26 (see s3fifo.cc). The paper's tails
// are fronts here.
class PaperS3Fifo final : public Paper {
 public:
  PaperS3Fifo(size_t size, double small, double ghost)
      : size_(size), small_(small * double(size)), ghost_(size_t(ghost * double(size))) {}

  bool request(Page page) override {
    if (holds(s_, page) || holds(m_, page)) {
      freq_[page] = std::min(freq_[page] + 1, 3);
      return true;
    }
    while (s_.size() + m_.size() >= size_) {
      evict();
    }
    if (holds(g_, page)) {
      take(g_, page);
      m_.push_back(page);
    } else {
      s_.push_back(page);
    }
    freq_[page] = 0;
    return false;
  }

 private:
  void evict() {
    if (double(s_.size()) >= small_) {
      evict_s();
    } else {
      evict_m();
    }
  }

  void evict_s() {
    bool evicted = false;
    while (!evicted && !s_.empty()) {
      const Page tail = take_front(s_);
      if (freq_[tail] > 1) {
        m_.push_back(tail);
        freq_[tail] = 0;
      } else {
        g_.push_back(tail);
        if (g_.size() > ghost_) {
          g_.pop_front();
        }
        evicted = true;
      }
    }
    if (!evicted) {
      evict_m();
    }
  }

  void evict_m() {
    bool evicted = false;
    while (!evicted && !m_.empty()) {
      const Page tail = take_front(m_);
      if (freq_[tail] > 0) {
        m_.push_back(tail);
        --freq_[tail];
      } else {
        evicted = true;
      }
    }
    if (!evicted) {
      evict_s();
    }
  }

  size_t size_;
  double small_;
  size_t ghost_;
  Pages s_, m_, g_;
  std::map<Page, int> freq_;
};

// Figure 4 of the ARC paper, case by case.
class PaperArc final : public Paper {
 public:
  explicit PaperArc(size_t c) : c_(c) {}

  bool request(Page x) override {
    if (holds(t1_, x) || holds(t2_, x)) {  // case I
      take(holds(t1_, x) ? t1_ : t2_, x);
      t2_.push_back(x);
      return true;
    }
    if (holds(b1_, x)) {  // case II
      p_ = std::min(p_ + delta(b1_, b2_), double(c_));
      replace(x);
      take(b1_, x);
      t2_.push_back(x);
      return false;
    }
    if (holds(b2_, x)) {  // case III
      p_ = std::max(p_ - delta(b2_, b1_), 0.0);
      replace(x);
      take(b2_, x);
      t2_.push_back(x);
      return false;
    }
    if (t1_.size() + b1_.size() == c_) {  // case IV A
      if (t1_.size() < c_) {
        b1_.pop_front();
        replace(x);
      } else {
        t1_.pop_front();
      }
    } else {  // case IV B
      const size_t total = t1_.size() + t2_.size() + b1_.size() + b2_.size();
      if (total >= c_) {
        if (total == 2 * c_) {
          b2_.pop_front();
        }
        replace(x);
      }
    }
    t1_.push_back(x);
    return false;
  }

 private:
  static double delta(const Pages& own, const Pages& other) {
    return own.size() >= other.size() ? 1.0 : double(other.size()) / double(own.size());
  }

  void replace(Page x) {
    const double t1 = double(t1_.size());
    if (!t1_.empty() && (t1 > p_ || (holds(b2_, x) && t1 == p_))) {
      b1_.push_back(take_front(t1_));
    } else {
      b2_.push_back(take_front(t2_));
    }
  }

  size_t c_;
  double p_ = 0;
  Pages t1_, t2_, b1_, b2_;
};

// W-TinyLFU with an exact histogram: the first use opens a door, further uses are counted up to W/C, and
// every count is halved when a sample of W uses is full.
class PaperWTinyLfu final : public Paper {
 public:
  PaperWTinyLfu(size_t c, double window, double protect, int sample)
      : window_size_(std::max<size_t>(1, size_t(window * double(c)))),
        main_size_(c - window_size_),
        protected_size_(size_t(protect * double(main_size_))),
        most_(sample),
        sample_size_(sample * int(c)) {}

  bool request(Page page) override {
    const bool hit = look_up(page);
    if (!hit) {
      insert(page);
    }
    count(page);
    return hit;
  }

 private:
  bool look_up(Page page) {
    if (holds(window_, page)) {
      take(window_, page);
      window_.push_back(page);
      return true;
    }
    if (!holds(probation_, page) && !holds(protected_, page)) {
      return false;
    }
    take(holds(probation_, page) ? probation_ : protected_, page);
    protected_.push_back(page);
    if (protected_.size() > protected_size_) {
      probation_.push_back(take_front(protected_));
    }
    return true;
  }

  void insert(Page page) {
    window_.push_back(page);
    if (window_.size() <= window_size_) {
      return;
    }
    const Page candidate = take_front(window_);
    if (probation_.size() + protected_.size() == main_size_) {
      Pages& victims = probation_.empty() ? protected_ : probation_;
      if (victims.empty() || frequency(candidate) <= frequency(victims.front())) {
        return;
      }
      victims.pop_front();
    }
    probation_.push_back(candidate);
  }

  int frequency(Page page) { return counts_[page] + int(doorkeeper_.count(page)); }

  void count(Page page) {
    if (!doorkeeper_.insert(page).second) {
      counts_[page] = std::min(counts_[page] + 1, most_);
    }
    if (++seen_ == sample_size_) {
      for (auto& [counted, times] : counts_) {
        times /= 2;
      }
      doorkeeper_.clear();
      seen_ /= 2;
    }
  }

  size_t window_size_, main_size_, protected_size_;
  int most_;
  int sample_size_;
  int seen_ = 0;
  std::set<Page> doorkeeper_;
  std::map<Page, int> counts_;
  Pages window_, probation_, protected_;
};

}  // namespace spillway
