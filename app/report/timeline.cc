#include "app/report/timeline.h"

#include <fmt/format.h>

#include <iterator>

#include "core/json.h"

namespace spillway {
namespace {

// The tracks, from top to bottom.
constexpr uint32_t kTokenTrack = 1;
constexpr uint32_t kLayers = 2;
constexpr uint32_t kCompute = 3;
constexpr uint32_t kStalls = 4;
constexpr uint32_t kFirstLane = 5;

// Writes the time in the viewer's unit, microseconds, to the nanosecond.
std::string microseconds(Nanoseconds time) {
  return fmt::format("{}.{:03}", time.count() / 1000, time.count() % 1000);
}

std::string quoted(const std::string& text) {
  return Json(text).dump(-1, ' ', true, Json::error_handler_t::replace);
}

const char* name_of(Phase phase) {
  return phase == Phase::prefill ? "prefill" : "decode";
}

}  // namespace

Result<std::unique_ptr<Timeline>> Timeline::create(const std::string& path, const ModelGeometry& geometry,
                                                   const std::string& title) {
  Result<OutputFile> file = OutputFile::create(path, OutputFile::Place::in_place, true);
  if (!file) {
    return propagate(file);
  }
  file->keep();
  std::unique_ptr<Timeline> timeline(new Timeline(std::move(*file), geometry));
  timeline->begin_event();
  fmt::format_to(std::back_inserter(timeline->text_),
                 R"({{"ph":"M","pid":1,"tid":0,"name":"process_name","args":{{"name":{},)"
                 R"("schema":"spillway.timeline/1"}}}})",
                 quoted(title));
  timeline->name_track(kTokenTrack, "tokens");
  timeline->name_track(kLayers, "layers");
  timeline->name_track(kCompute, "compute");
  timeline->name_track(kStalls, "stall");
  timeline->flush();
  return timeline;
}

void Timeline::on(const Event& event) {
  switch (event.kind) {
    case EventKind::hit:
    case EventKind::late:
    case EventKind::miss:
      ++(event.kind == EventKind::hit    ? lookups_.hits
         : event.kind == EventKind::late ? lookups_.late
                                         : lookups_.misses);
      lookups_.layer = geometry_.layer_of(event.expert);
      break;
    case EventKind::admit:
    case EventKind::prefetch:
      cached_bytes_ += geometry_.bytes_of(event.expert);
      break;
    case EventKind::evict:
      cached_bytes_ -= geometry_.bytes_of(event.expert);
      break;
    case EventKind::attention:
      slice(kCompute, "attention", event, "");
      break;
    case EventKind::shared_expert:
      slice(kCompute, "shared expert", event, "");
      break;
    case EventKind::expert:
      slice(kCompute, geometry_.name(event.expert), event, "");
      break;
    case EventKind::stall:
      slice(kStalls, "stall", event, "");
      break;
    case EventKind::io:
      request(event);
      break;
    case EventKind::step:
      step(event);
      break;
    case EventKind::pass:
      pass(event);
      break;
    case EventKind::bypass:
    case EventKind::prefetch_used:
    case EventKind::prefetch_wasted:
      break;
  }
  if (text_.size() > kMostBuffered / 2) {
    flush();
  }
}

Result<void> Timeline::finish() {
  text_ += empty_ ? "[]\n" : "\n]\n";
  flush();
  if (!written_) {
    return written_;
  }
  return file_.finish();
}

void Timeline::name_track(uint32_t track, const std::string& name) {
  begin_event();
  fmt::format_to(std::back_inserter(text_),
                 R"({{"ph":"M","pid":1,"tid":{},"name":"thread_name","args":{{"name":"{}"}}}})", track, name);
  begin_event();
  fmt::format_to(std::back_inserter(text_),
                 R"({{"ph":"M","pid":1,"tid":{0},"name":"thread_sort_index","args":{{"sort_index":{0}}}}})",
                 track);
}

// Puts the comma before the next event, so that the text so far is a whole array but for its bracket.
void Timeline::begin_event() {
  text_ += empty_ ? "[\n" : ",\n";
  empty_ = false;
}

void Timeline::slice(uint32_t track, const std::string& name, const Event& event,
                     const std::string& arguments) {
  if (event.duration.count() == 0 && event.kind != EventKind::io) {
    return;  // a run without compute has as many of these as reads, and they show nothing
  }
  begin_event();
  fmt::format_to(std::back_inserter(text_),
                 R"({{"ph":"X","pid":1,"tid":{},"name":"{}","ts":{},"dur":{},"args":{{{}}}}})", track, name,
                 microseconds(event.start), microseconds(event.duration), arguments);
}

void Timeline::request(const Event& event) {
  const uint32_t track = kFirstLane + free_lane(event);
  std::string arguments =
      fmt::format(R"("why":"{}","bytes":{})", event.prefetch ? "prefetch" : "demand", event.bytes);
  if (event.error != 0) {
    arguments += fmt::format(R"(,"errno":{})", event.error);
  }
  slice(track, geometry_.name(event.expert), event, arguments);
}

// Returns the lane of a request. Requests arrive here when they are complete. Among the lanes that were free
// when this request began, the one that was free for the shortest time is taken; so there are as many lanes
// as requests were in flight at a time, and no more. (Carlisle and Lloyd, "On the k-coloring of intervals",
// Discrete Applied Mathematics 59, 1995.)
uint32_t Timeline::free_lane(const Event& event) {
  size_t best = lane_ends_.size();
  for (size_t lane = 0; lane < lane_ends_.size(); ++lane) {
    const bool fits = lane_ends_[lane] <= event.start;
    if (fits && (best == lane_ends_.size() || lane_ends_[lane] > lane_ends_[best])) {
      best = lane;
    }
  }
  if (best == lane_ends_.size()) {
    lane_ends_.emplace_back(0);
    name_track(kFirstLane + uint32_t(best), fmt::format("read {}", best + 1));
  }
  lane_ends_[best] = event.start + event.duration;
  return uint32_t(best);
}

void Timeline::step(const Event& event) {
  const uint32_t asked = lookups_.hits + lookups_.late + lookups_.misses;
  slice(
      kLayers, fmt::format("layer {}", lookups_.layer), event,
      fmt::format(R"("phase":"{}","tokens":{},"experts":{},"hits":{},"late":{},"misses":{})",
                  name_of(event.phase), event.tokens, asked, lookups_.hits, lookups_.late, lookups_.misses));
  lookups_ = {};
  occupancy(event.start + event.duration);
}

void Timeline::pass(const Event& event) {
  const bool decode = event.phase == Phase::decode;
  const std::string name = decode ? fmt::format("token {}", decode_passes_) : std::string("prefill");
  decode_passes_ += decode ? 1 : 0;
  slice(kTokenTrack, name, event,
        fmt::format(R"("phase":"{}","tokens":{})", name_of(event.phase), event.tokens));
  flush();
}

void Timeline::occupancy(Nanoseconds when) {
  if (cached_bytes_ == reported_bytes_) {
    return;
  }
  reported_bytes_ = cached_bytes_;
  begin_event();
  fmt::format_to(std::back_inserter(text_),
                 R"({{"ph":"C","pid":1,"name":"cache","ts":{},"args":{{"bytes":{}}}}})", microseconds(when),
                 cached_bytes_);
}

void Timeline::flush() {
  if (written_) {
    written_ = file_.write(std::string_view(text_));
  }
  text_.clear();
}

}  // namespace spillway
