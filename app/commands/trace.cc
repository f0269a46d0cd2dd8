#include <fmt/core.h>

#include "app/cli/printable.h"
#include "app/cli/progress.h"
#include "app/commands/trace_commands.h"
#include "app/report/report.h"
#include "core/for_each_step.h"

namespace spillway {

void add_trace_commands(Command app, Invocation& invocation) {
  Command trace = app.subcommand("trace", "Look at, convert, cut and make router traces");
  add_trace_info(trace, invocation);
  add_trace_import(trace, invocation);
  add_trace_export(trace, invocation);
  add_trace_cut(trace, invocation);
  add_trace_synth(trace, invocation);
  add_trace_preload(trace, invocation);
}

void OutputOptions::declare(Command command) {
  command.output("-o,--output", path, "The file to write").required().type_name("FILE");
  command.flag("--force", force, "Replace the file if it exists");
}

Result<void> OutputOptions::check_binary() const {
  return check_binary_output("-o", path);
}

std::vector<Option> ModelOptions::declare(Command command) {
  constexpr CountRange kCount = {.least = 1, .most = 1U << 24};
  std::vector<Option> options = {
      command.text("--model", preset, "Model preset: NAME or NAME:TYPE, as in olmoe-1b-7b:Q4_K"),
      command.text("--presets", presets_directory, "Directory of presets to search first"),
      command.count("--layers", kCount, layers, "Layers of the model"),
      command.count("--experts", kCount, experts, "Experts in each layer"),
      command.count("--top-k", kCount, top_k, "Experts that a token uses in each layer"),
      command.count("--native-top-k", kCount, native_top_k,
                    "Experts per layer that the model was trained to use"),
      command.size("--expert-bytes", expert_bytes, "Bytes of one expert, the same in every layer")};
  options[0].type_name("PRESET");
  options[1].type_name("DIR");
  return options;
}

Result<ImportOptions> ModelOptions::resolve() const {
  ImportOptions options;
  if (!preset.empty()) {
    Result<ModelPreset> model = load_model_preset(preset, presets_directory);
    if (!model) {
      return propagate(model);
    }
    options.model = model->type.empty() ? model->name : model->name + ":" + model->type;
    options.layers = model->geometry.layers;
    options.experts_per_layer = model->geometry.experts_per_layer;
    options.native_top_k = model->geometry.top_k;
    options.expert_bytes = model->geometry.expert_bytes;
  }
  const auto override_with = [](std::optional<uint32_t>& value, uint32_t given) {
    if (given != 0) {
      value = given;
    }
  };
  override_with(options.layers, layers);
  override_with(options.experts_per_layer, experts);
  override_with(options.used_top_k, top_k);
  override_with(options.native_top_k, native_top_k);
  if (expert_bytes.count != 0) {
    options.expert_bytes = {expert_bytes.count};
  }
  return options;
}

Result<std::unique_ptr<TraceWriter>> create_trace(const OutputOptions& output, const TraceHeader& header) {
  TraceWriterOptions options;
  options.place = OutputFile::Place::rename_when_done;
  options.replace = output.force;
  return TraceWriter::create(output.path, header, options);
}

Result<void> copy_steps(StepSource& source, TraceWriter& writer, Progress* progress) {
  return for_each_step(source, [&](const Step& step) -> Result<void> {
    if (Result<void> appended = writer.append(step); !appended) {
      return appended;
    }
    if (progress != nullptr) {
      progress->at(step.pass);
    }
    if (interrupted()) {
      return failed("interrupted after {} steps; nothing was kept", writer.steps());
    }
    return {};
  });
}

Result<void> finish_trace(TraceWriter& writer, const OutputOptions& output) {
  if (Result<void> finished = writer.finish(); !finished) {
    return finished;
  }
  note("{}: {} steps, {}\n", printable(output.path), writer.steps(), format_bytes(writer.bytes_written()));
  return {};
}

}  // namespace spillway
