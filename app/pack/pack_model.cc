#include "app/pack/pack_model.h"

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "app/cli/interruptible.h"
#include "app/pack/coactivation.h"
#include "app/run/open_store.h"
#include "core/for_each_step.h"
#include "core/json.h"
#include "traces/reader.h"

namespace spillway {
namespace {

// The order of the experts on disk. `runs` is the number of runs of neighbours in which the experts of a
// decode step of the trace lie in this order, and `runs_by_id` the number in the order of their ids.
struct Layout {
  SlotTable slots;
  double runs = 0;
  double runs_by_id = 0;
};

// Checks that the trace has the model's shape. A trace of another quantization of the model is accepted,
// since it differs only in the sizes of the experts.
Result<void> check_trace(const std::string& path, const ModelGeometry& trace, const OpenGguf& model) {
  if (trace.layers != model.geometry.layers || trace.experts_per_layer != model.geometry.experts_per_layer) {
    return failed("{}: the trace has {} layers × {} experts, but the model {} has {} × {}", path,
                  trace.layers, trace.experts_per_layer, model.gguf.path(), model.geometry.layers,
                  model.geometry.experts_per_layer);
  }
  return {};
}

// Reads the whole trace and returns the places that follow from its pairs.
Result<SlotTable> slots_from(StepSource& steps, const std::string& path) {
  Result<Coactivation> counts = Coactivation::start(steps.info().geometry);
  if (!counts) {
    return propagate(counts);
  }
  uint64_t read = 0;
  Result<void> observed = for_each_step(steps, [&](const Step& step) {
    counts->observe(step);
    ++read;
    return Result<void>();
  });
  if (!observed) {
    return propagate(observed);
  }
  if (read == 0) {
    return failed("{}: the trace has no steps, so it does not show which experts are used together", path);
  }
  return counts->slots();
}

Result<double> count_runs(const std::string& path, const SlotTable& slots) {
  Result<std::unique_ptr<TraceReader>> reader = TraceReader::open(path, TraceColumns{});
  if (!reader) {
    return propagate(reader);
  }
  Interruptible steps(**reader, fmt::format("reading {}", path));
  return runs_per_decode_step(steps, slots);
}

Result<Layout> make_layout(const PackRequest& request, const OpenGguf& model) {
  Layout layout{slots_by_id(model.geometry)};
  if (request.layout == kLayoutById) {
    return layout;
  }
  Result<std::unique_ptr<TraceReader>> reader = TraceReader::open(request.trace, TraceColumns{});
  if (!reader) {
    return propagate(reader);
  }
  if (Result<void> fits = check_trace(request.trace, (*reader)->header().geometry, model); !fits) {
    return propagate(fits);
  }
  Interruptible steps(**reader, fmt::format("reading {}", request.trace));
  Result<SlotTable> slots = slots_from(steps, request.trace);
  if (!slots) {
    return propagate(slots);
  }
  Result<double> before = count_runs(request.trace, layout.slots);
  Result<double> after = count_runs(request.trace, *slots);
  if (!before || !after) {
    return before ? propagate(after) : propagate(before);
  }
  return Layout{std::move(*slots), *after, *before};
}

std::string_view name_of(ExpertPart part) {
  switch (part) {
    case ExpertPart::gate:
      return "gate";
    case ExpertPart::up:
      return "up";
    case ExpertPart::gate_up:
      return "gate_up";
    case ExpertPart::down:
      return "down";
  }
  return "";
}

Result<PackPlan> make_plan(const PackRequest& request, const OpenGguf& model, SlotTable slots) {
  Result<PackedOrigin> origin = gguf_origin(model.gguf);
  if (!origin) {
    return propagate(origin);
  }
  PackPlan plan{.path = request.store,
                .replace = request.replace,
                .tables = expert_tables(model.gguf, model.experts),
                .content = {std::move(*origin), request.layout, {}, 0},
                .slots = std::move(slots)};
  for (const std::vector<GgufExpertTensor>& parts : model.experts.layers) {
    std::vector<PackedPart>& layer = plan.content.parts.emplace_back();
    for (const GgufExpertTensor& part : parts) {
      layer.push_back({std::string(name_of(part.part)), part.bytes});
    }
  }
  return plan;
}

}  // namespace

Result<PackedModel> pack_model(const PackRequest& request, StoreProgress progress) {
  Result<OpenGguf> model = open_gguf(request.model);
  if (!model) {
    return propagate(model);
  }
  Result<Layout> layout = make_layout(request, *model);
  if (!layout) {
    return propagate(layout);
  }
  Result<PackPlan> plan = make_plan(request, *model, std::move(layout->slots));
  if (!plan) {
    return propagate(plan);
  }
  Result<uint64_t> bytes = pack_store(*plan, progress);
  if (!bytes) {
    return propagate(bytes);
  }
  return PackedModel{model->geometry, std::move(plan->content.origin), *bytes, layout->runs,
                     layout->runs_by_id};
}

Json to_json(const PackRequest& request, const PackedModel& made) {
  Json files = Json::array();
  for (const PackedOrigin::File& file : made.origin.files) {
    files.push_back({{"name", file.name}, {"bytes", file.bytes}});
  }
  Json json = {{"schema", "spillway.pack/1"},
               {"store", request.store},
               {"store_bytes", made.bytes},
               {"model",
                {{"path", request.model},
                 {"files", files},
                 {"fingerprint", fmt::format("{:016x}", made.origin.fingerprint)}}},
               {"geometry",
                {{"layers", made.geometry.layers},
                 {"experts_per_layer", made.geometry.experts_per_layer},
                 {"top_k", made.geometry.top_k},
                 {"expert_bytes", made.geometry.expert_bytes}}},
               {"layout", request.layout}};
  if (request.layout == kLayoutByCoactivation) {
    json["trace"] = request.trace;
    json["runs_per_decode_step"] = {{kLayoutById, made.runs_by_id}, {kLayoutByCoactivation, made.runs}};
  }
  return json;
}

}  // namespace spillway
