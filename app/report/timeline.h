#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/ports.h"
#include "host/file.h"

namespace spillway {

// What happened when, as a file that Perfetto and chrome://tracing open: a track for tokens, for layers, for
// compute and for stalls, one for each request that was in flight at a time, and a counter of the bytes in
// the cache. Written as it comes, a token at a time: after a crash the file holds every token that was
// finished, and lacks the bracket at its end, which viewers do without.
//
// The format is the JSON array of "Trace Event Format" (Google, 2016): complete events, in microseconds.
// Memory: one line for each request in flight at a time, and at most kMostBuffered bytes of text.
class Timeline final : public Observer {
 public:
  static constexpr size_t kMostBuffered = size_t(1) << 18;

  // A file that is at `path` is replaced. `title` names the run in the viewer; `geometry` must outlive it.
  static Result<std::unique_ptr<Timeline>> create(const std::string& path, const ModelGeometry& geometry,
                                                  const std::string& title);

  void on(const Event& event) override;

  // Writes what is left, and the end. Fails when anything since create() could not be written: a run is not
  // ended for want of a picture of it, but whoever asked for the picture is to know.
  Result<void> finish();

 private:
  Timeline(OutputFile file, const ModelGeometry& geometry) : file_(std::move(file)), geometry_(geometry) {}

  struct Lookups {  // of the step under way
    uint32_t hits = 0;
    uint32_t late = 0;
    uint32_t misses = 0;
    uint32_t layer = 0;
  };

  void name_track(uint32_t track, const std::string& name);
  void begin_event();
  void slice(uint32_t track, const std::string& name, const Event& event, const std::string& arguments);
  void request(const Event& event);
  void step(const Event& event);
  void pass(const Event& event);
  void occupancy(Nanoseconds when);
  uint32_t free_lane(const Event& event);
  void flush();

  OutputFile file_;
  const ModelGeometry& geometry_;
  std::string text_;  // not written yet
  bool empty_ = true;
  Result<void> written_;
  std::vector<Nanoseconds> lane_ends_;  // when the last request of each lane was complete
  Lookups lookups_;
  uint64_t cached_bytes_ = 0;
  uint64_t reported_bytes_ = ~uint64_t{0};
  uint64_t decode_passes_ = 0;
};

}  // namespace spillway
