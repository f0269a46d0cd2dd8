#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/ports.h"
#include "host/file.h"

namespace spillway {

// The course of a run as a file for Perfetto and chrome://tracing: a track for tokens, for layers, for
// compute and for stalls, a track for each request that was in flight at a time, and a counter of the bytes
// in the cache. The file is written token by token: after a crash it holds every finished token, and lacks
// only the bracket at its end, which viewers do without.
//
// The format is the JSON array of "Trace Event Format" (Google, 2016): complete events, in microseconds.
// Memory: one line for each request in flight at a time, and at most kMostBuffered bytes of text.
class Timeline final : public Observer {
 public:
  static constexpr size_t kMostBuffered = size_t(1) << 18;

  // Replaces a file at `path`. `title` names the run in the viewer; `geometry` must outlive the timeline.
  static Result<std::unique_ptr<Timeline>> create(const std::string& path, const ModelGeometry& geometry,
                                                  const std::string& title);

  void on(const Event& event) override;

  // Writes the rest and the end of the file. Fails if anything since create() could not be written: a failed
  // timeline does not end a run, but whoever asked for the timeline must know.
  Result<void> finish();

 private:
  Timeline(OutputFile file, const ModelGeometry& geometry) : file_(std::move(file)), geometry_(geometry) {}

  struct Lookups {  // of the current step
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
