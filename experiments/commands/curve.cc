#include <fmt/core.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "experiments/cli.h"
#include "experiments/interruptible.h"
#include "experiments/open_trace.h"
#include "experiments/printable.h"
#include "experiments/report.h"
#include "policies/list.h"
#include "runtime/cache_run.h"

namespace spillway {
namespace {

struct CurveOptions {
  std::string trace;
  std::string policies = "lru,lfu,belady";
  std::string sizes;
  std::optional<uint64_t> tokens;
  uint64_t seed = 1;
  std::string json;
};

struct Point {
  std::string policy;  // as asked for
  uint64_t cache_bytes = 0;
  CacheRun run;

  uint64_t accesses() const { return run.prefill.accesses + run.decode.accesses; }
  uint64_t hits() const { return run.prefill.hits + run.decode.hits; }
  double hit_ratio() const { return accesses() == 0 ? 0 : double(hits()) / double(accesses()); }
};

// Without a wish: from one step's worth, below which nothing runs, to all experts, doubling.
std::vector<uint64_t> default_sizes(const ModelGeometry& geometry) {
  std::vector<uint64_t> sizes;
  for (uint64_t size = geometry.total_bytes();
       size >= geometry.largest_token_step_bytes() && sizes.size() < 12; size /= 2) {
    sizes.insert(sizes.begin(), size);
  }
  return sizes;
}

Result<std::vector<uint64_t>> parse_sizes(const CurveOptions& options, const ModelGeometry& geometry) {
  if (options.sizes.empty()) {
    return default_sizes(geometry);
  }
  std::vector<uint64_t> sizes;
  for (const std::string& text : split_list(options.sizes)) {
    const Result<Bytes> size = parse_bytes(text);
    if (!size) {
      return wrong_usage("--cache: {}", size.error().message);
    }
    if (size->count < geometry.largest_token_step_bytes()) {
      return wrong_usage("--cache {}: one step needs {}; give at least that", text,
                         format_bytes(geometry.largest_token_step_bytes()));
    }
    sizes.push_back(size->count);
  }
  if (sizes.empty()) {
    return wrong_usage("--cache '{}' names no size", options.sizes);
  }
  return sizes;
}

Result<Point> run_point(const OpenTrace& trace, const std::string& policy, uint64_t cache_bytes,
                        uint64_t seed) {
  const PolicyEnv env{&trace.steps.info(), cache_bytes, seed};
  Result<Made<EvictionPolicy>> made = make_plugin(eviction_policies(), "eviction policy", policy, env);
  if (!made) {
    return propagate(made);
  }
  const std::unique_ptr<StepSource> source = trace.steps.cursor();
  Interruptible steps(*source, "curve");
  Result<CacheRun> run = run_cache(steps, *made->port, cache_bytes);
  if (!run) {
    return propagate(run);
  }
  return Point{policy, cache_bytes, std::move(*run)};
}

nlohmann::ordered_json points_json(const OpenTrace& trace, const std::vector<Point>& points, bool complete) {
  nlohmann::ordered_json json = {{"schema", "spillway.curve/1"},
                                 {"trace", {{"path", trace.path}, {"model", trace.header.model}}},
                                 {"token_cycle_bytes", trace.header.geometry.token_cycle_bytes()},
                                 {"semantics", "step"},
                                 {"interrupted", !complete},
                                 {"points", nlohmann::ordered_json::array()}};
  for (const Point& point : points) {
    json["points"].push_back(
        {{"policy", point.policy},
         {"cache_bytes", point.cache_bytes},
         {"accesses", point.accesses()},
         {"hits", point.hits()},
         {"hit_ratio", point.hit_ratio()},
         {"accesses_decode", point.run.decode.accesses},
         {"hits_decode", point.run.decode.hits},
         {"hit_ratio_decode", point.run.decode.hit_ratio()},
         {"missed_bytes", point.run.prefill.bytes_missed + point.run.decode.bytes_missed}});
  }
  return json;
}

// One row a size, one column a policy; `points` go through the sizes within each policy, up to where they
// end.
void print_points(const OpenTrace& trace, const std::vector<Point>& points,
                  const std::vector<std::string>& policies, const std::vector<uint64_t>& sizes) {
  fmt::print("{}: {}\n", printable(trace.path), trace.header.geometry.describe());
  if (points.size() < policies.size() * sizes.size()) {
    fmt::print("INTERRUPTED: what follows are the points that were finished.\n");
  }
  fmt::print("hit ratio of decode, % (with prefill); one token cycle is {}\n\n",
             format_bytes(trace.header.geometry.token_cycle_bytes()));
  fmt::print("{:>10}", "cache");
  for (const std::string& policy : policies) {
    fmt::print("  {:>16}", printable(policy));
  }
  fmt::print("\n");
  for (size_t row = 0; row < sizes.size(); ++row) {
    fmt::print("{:>10}", format_bytes(sizes[row]));
    for (size_t index = row; index < policies.size() * sizes.size(); index += sizes.size()) {
      if (index >= points.size()) {
        fmt::print("  {:>16}", "-");
        continue;
      }
      const Point& point = points[index];
      fmt::print("  {:>7.3f} ({:>6.3f})", 100 * point.run.decode.hit_ratio(), 100 * point.hit_ratio());
    }
    fmt::print("\n");
  }
}

// Every policy at every size; on Ctrl-C those that were finished.
Result<std::vector<Point>> run_points(const OpenTrace& trace, const std::vector<std::string>& policies,
                                      const std::vector<uint64_t>& sizes, uint64_t seed) {
  std::vector<Point> points;
  for (const std::string& policy : policies) {
    for (const uint64_t size : sizes) {
      Result<Point> point = run_point(trace, policy, size, seed);
      if (!point && interrupted()) {
        return points;
      }
      if (!point) {
        return propagate(point);
      }
      points.push_back(std::move(*point));
    }
  }
  return points;
}

// All of them before any is run: the last may come up after minutes.
Result<std::vector<std::string>> parse_policies(const CurveOptions& options) {
  std::vector<std::string> policies = split_list(options.policies);
  for (const std::string& policy : policies) {
    if (Result<std::string> known = resolve_plugin(eviction_policies(), "eviction policy", policy); !known) {
      return propagate(known);
    }
  }
  if (policies.empty()) {
    return wrong_usage("--policy '{}' names no policy", options.policies);
  }
  return policies;
}

Result<void> run_curve(const CurveOptions& options) {
  Result<std::vector<std::string>> policies = parse_policies(options);
  if (!policies) {
    return propagate(policies);
  }
  if (Result<void> writable = check_json_path(options.json, options.trace); !writable) {
    return writable;
  }
  Result<OpenTrace> trace = open_trace(options.trace, options.tokens);
  if (!trace) {
    return propagate(trace);
  }
  if (!trace->truncation.empty()) {
    fmt::print(stderr, "spillway: {}: the trace is incomplete: {}\n", printable(options.trace),
               printable(trace->truncation));
  }
  Result<std::vector<uint64_t>> sizes = parse_sizes(options, trace->header.geometry);
  if (!sizes) {
    return propagate(sizes);
  }
  Result<std::vector<Point>> points = run_points(*trace, *policies, *sizes, options.seed);
  if (!points) {
    return propagate(points);
  }
  const size_t wanted = policies->size() * sizes->size();
  Result<void> written;
  if (!options.json.empty()) {
    written = write_json(points_json(*trace, *points, points->size() == wanted), options.json);
  }
  if (options.json != "-") {
    print_points(*trace, *points, *policies, *sizes);
  }
  if (written && points->size() < wanted) {
    return failed("interrupted after {} of {} points; the output holds these", points->size(), wanted);
  }
  return written;
}

}  // namespace

void add_curve_command(Command app, Invocation& invocation) {
  auto options = std::make_shared<CurveOptions>();
  Command command = app.subcommand("curve", "Hit ratios of cache policies at given cache sizes");
  command.footer("Example:\n  spillway curve trace.bin --policy lru,lfu,belady --cache 1GB,2GB,4GB --json -");
  command.text("trace", options->trace, "A trace file").required();
  command.text("--policy", options->policies, "Eviction policies, comma-separated").show_default();
  command.text("--cache", options->sizes,
               "Cache sizes, comma-separated (default: doubling, up to all experts)");
  command.count("--tokens", {.least = 1}, options->tokens, "Only the first N decode tokens");
  command.count("--seed", {}, options->seed, "Of policies that draw lots").show_default();
  command.text("--json", options->json, "Write the points as JSON to this file; - is stdout");
  command.runs(invocation, [options] { return run_curve(*options); });
}

}  // namespace spillway
