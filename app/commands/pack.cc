#include <fmt/core.h>

#include "app/cli/cli.h"
#include "app/cli/interruptible.h"
#include "app/cli/printable.h"
#include "app/cli/progress.h"
#include "app/pack/coactivation.h"
#include "app/report/report.h"
#include "app/run/open_store.h"
#include "core/for_each_step.h"
#include "core/json.h"
#include "host/file.h"
#include "stores/pack_store.h"
#include "traces/reader.h"

namespace spillway {
namespace {

constexpr const char* kById = "id";
constexpr const char* kByCoactivation = "coactivation";

struct PackArguments {
  std::string model;
  std::string output;
  bool force = false;
  std::string layout = kById;
  std::string trace;
  std::string json;
};

// How the experts are ordered, and into how many runs of neighbours a decode step of the trace falls with it
// and without.
struct Layout {
  SlotTable slots;
  double runs = 0;
  double runs_by_id = 0;
};

Result<void> check_arguments(const PackArguments& arguments) {
  if (arguments.layout == kByCoactivation && arguments.trace.empty()) {
    return wrong_usage("--layout coactivation: needs --trace TRACE, which says what is used together");
  }
  if (arguments.layout == kById && !arguments.trace.empty()) {
    return wrong_usage("--trace {}: nothing is looked up in it with --layout id; give --layout coactivation",
                       arguments.trace);
  }
  if (Result<void> file = check_binary_output("-o", arguments.output); !file) {
    return file;
  }
  for (const std::string& other : {arguments.model, arguments.trace}) {
    if (same_file(arguments.output, other)) {
      return wrong_usage("-o {}: that is what is read; name another file", arguments.output);
    }
  }
  for (const std::string& other : {arguments.output, arguments.model, arguments.trace}) {
    if (same_file(arguments.json, other)) {
      return wrong_usage("--json {}: that is the store, or what is read; name another file", arguments.json);
    }
  }
  return check_json_path(arguments.json);
}

// What was recorded from the same model in another quantization will do: only sizes differ then.
Result<void> check_trace(const std::string& path, const ModelGeometry& trace, const OpenGguf& model) {
  if (trace.layers != model.geometry.layers || trace.experts_per_layer != model.geometry.experts_per_layer) {
    return failed("{} is of {} layers × {} experts, but {} has {} × {}", path, trace.layers,
                  trace.experts_per_layer, model.gguf.path(), model.geometry.layers,
                  model.geometry.experts_per_layer);
  }
  return {};
}

// Reads the whole trace.
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
    return failed("{}: holds no steps, so nothing is known of what is used together", path);
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

Result<Layout> make_layout(const PackArguments& arguments, const OpenGguf& model) {
  Layout layout{slots_by_id(model.geometry)};
  if (arguments.layout == kById) {
    return layout;
  }
  Result<std::unique_ptr<TraceReader>> reader = TraceReader::open(arguments.trace, TraceColumns{});
  if (!reader) {
    return propagate(reader);
  }
  if (Result<void> fits = check_trace(arguments.trace, (*reader)->header().geometry, model); !fits) {
    return propagate(fits);
  }
  Interruptible steps(**reader, fmt::format("reading {}", arguments.trace));
  Result<SlotTable> slots = slots_from(steps, arguments.trace);
  if (!slots) {
    return propagate(slots);
  }
  Result<double> before = count_runs(arguments.trace, layout.slots);
  Result<double> after = count_runs(arguments.trace, *slots);
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

Result<PackPlan> make_plan(const PackArguments& arguments, const OpenGguf& model, SlotTable slots) {
  Result<PackedOrigin> origin = gguf_origin(model.gguf);
  if (!origin) {
    return propagate(origin);
  }
  PackPlan plan{.path = arguments.output,
                .replace = arguments.force,
                .tables = expert_tables(model.gguf, model.experts),
                .content = {std::move(*origin), arguments.layout, {}, 0},
                .slots = std::move(slots)};
  for (const std::vector<GgufExpertTensor>& parts : model.experts.layers) {
    std::vector<PackedPart>& layer = plan.content.parts.emplace_back();
    for (const GgufExpertTensor& part : parts) {
      layer.push_back({std::string(name_of(part.part)), part.bytes});
    }
  }
  return plan;
}

Json to_json(const PackArguments& arguments, const PackPlan& plan, const ModelGeometry& geometry,
             const Layout& layout, uint64_t bytes) {
  Json files = Json::array();
  for (const PackedOrigin::File& file : plan.content.origin.files) {
    files.push_back({{"name", file.name}, {"bytes", file.bytes}});
  }
  Json json = {{"schema", "spillway.pack/1"},
               {"store", arguments.output},
               {"store_bytes", bytes},
               {"model",
                {{"path", arguments.model},
                 {"files", files},
                 {"fingerprint", fmt::format("{:016x}", plan.content.origin.fingerprint)}}},
               {"geometry",
                {{"layers", geometry.layers},
                 {"experts_per_layer", geometry.experts_per_layer},
                 {"top_k", geometry.top_k},
                 {"expert_bytes", geometry.expert_bytes}}},
               {"layout", arguments.layout}};
  if (arguments.layout == kByCoactivation) {
    json["trace"] = arguments.trace;
    json["runs_per_decode_step"] = {{kById, layout.runs_by_id}, {kByCoactivation, layout.runs}};
  }
  return json;
}

void tell(const PackArguments& arguments, const ModelGeometry& geometry, const Layout& layout,
          uint64_t bytes) {
  fmt::print(stderr, "{}: {}; {}, in the order of {}\n", printable(arguments.output), geometry.describe(),
             format_bytes(bytes),
             arguments.layout == kById ? "their numbers"
                                       : fmt::format("co-activation: {:.2f} runs of neighbours per decode "
                                                     "step of the trace, {:.2f} by number",
                                                     layout.runs, layout.runs_by_id));
}

Result<void> run_pack(const PackArguments& arguments) {
  if (Result<void> right = check_arguments(arguments); !right) {
    return right;
  }
  Result<OpenGguf> model = open_gguf(arguments.model);
  if (!model) {
    return propagate(model);
  }
  Result<Layout> layout = make_layout(arguments, *model);
  if (!layout) {
    return propagate(layout);
  }
  Result<PackPlan> plan = make_plan(arguments, *model, layout->slots);
  if (!plan) {
    return propagate(plan);
  }
  std::optional<Progress> progress(std::in_place, "packing", model->geometry.total_bytes(),
                                   Progress::Unit::bytes);
  Result<uint64_t> bytes = pack_store(*plan, [&](uint64_t done, uint64_t) {
    progress->at(done);
    return !interrupted();
  });
  progress.reset();
  if (!bytes) {
    return propagate(bytes);
  }
  tell(arguments, model->geometry, *layout, *bytes);
  return arguments.json.empty()
             ? Result<void>()
             : write_json(to_json(arguments, *plan, model->geometry, *layout, *bytes), arguments.json);
}

}  // namespace

void add_pack_command(Command app, Invocation& invocation) {
  auto arguments = std::make_shared<PackArguments>();
  Command command =
      app.subcommand("pack", "Make a store of a model's experts, each in one aligned piece with a checksum");
  command.footer(
      "Examples:\n"
      "  spillway pack --model qwen.gguf -o qwen.store\n"
      "  spillway pack --model qwen.gguf -o qwen.store --layout coactivation --trace qwen.bin\n"
      "  spillway replay qwen.bin --store qwen.store --cache 4GB --verify all");
  command.text("--model", arguments->model, "A GGUF, or the first file of a split one")
      .required()
      .type_name("GGUF");
  command.text("-o,--output", arguments->output, "The store to write").required().type_name("FILE");
  command.flag("--force", arguments->force, "Replace the file if it exists");
  command
      .text("--layout", arguments->layout,
            "The order of a layer's experts on disk: id, their numbers; coactivation, those that a "
            "trace's tokens use together side by side")
      .one_of({kById, kByCoactivation})
      .show_default();
  command.text("--trace", arguments->trace, "Of this model; for --layout coactivation").type_name("TRACE");
  command.text("--json", arguments->json, "Write what was made as JSON to this file; - is stdout");
  command.runs(invocation, [arguments] { return run_pack(*arguments); });
}

}  // namespace spillway
