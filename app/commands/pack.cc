#include <fmt/core.h>

#include "app/cli/cli.h"
#include "app/cli/printable.h"
#include "app/cli/progress.h"
#include "app/pack/pack_model.h"
#include "app/report/report.h"
#include "app/stores/new_store.h"
#include "core/json.h"
#include "host/file.h"

namespace spillway {
namespace {

struct PackArguments : PackRequest {
  std::string json;
};

Result<void> check_arguments(const PackArguments& arguments) {
  if (arguments.layout == kLayoutByCoactivation && arguments.trace.empty()) {
    return wrong_usage(
        "--layout coactivation: needs --trace TRACE to find out which experts are used together");
  }
  if (arguments.layout == kLayoutById && !arguments.trace.empty()) {
    return wrong_usage(
        "--trace {}: --layout id needs no trace; give --layout coactivation, or leave out --trace",
        arguments.trace);
  }
  if (Result<void> file = check_binary_output("-o", arguments.store); !file) {
    return file;
  }
  return check_json_path(arguments.json);
}

void tell(const PackRequest& request, const PackedModel& made) {
  note("{}: {}; {}, in the order of {}\n", printable(request.store), made.geometry.describe(),
       format_bytes(made.bytes),
       request.layout == kLayoutById ? "their numbers"
                                     : fmt::format("co-activation: {:.2f} runs of neighbours per decode "
                                                   "step of the trace, {:.2f} by number",
                                                   made.runs, made.runs_by_id));
}

Result<void> run_pack(const PackArguments& arguments) {
  if (Result<void> right = check_arguments(arguments); !right) {
    return right;
  }
  std::optional<Progress> progress;
  Result<PackedModel> made = pack_model(arguments, [&](uint64_t done, uint64_t total) {
    if (!progress) {
      const std::vector<std::string> paths = {arguments.store};
      tell_new_store({paths, total, removal_of(paths, false)});
      progress.emplace("packing", total, Progress::Unit::bytes);
    }
    progress->at(done);
    return !interrupted();
  });
  progress.reset();
  if (!made) {
    return propagate(made);
  }
  tell(arguments, *made);
  return arguments.json.empty() ? Result<void>() : write_json(to_json(arguments, *made), arguments.json);
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
  command.output("-o,--output", arguments->store, "The store to write").required().type_name("FILE");
  command.flag("--force", arguments->replace, "Replace the file if it exists");
  command
      .text("--layout", arguments->layout,
            "The order of a layer's experts on disk; id: by number; coactivation: those that a trace's\n"
            "tokens use together are neighbours")
      .one_of({kLayoutById, kLayoutByCoactivation})
      .show_default();
  command.text("--trace", arguments->trace, "A trace of this model, for --layout coactivation")
      .type_name("TRACE");
  command
      .output("--json", arguments->json,
              "Write a description of the store as JSON to this file; - writes it to stdout")
      .type_name("FILE");
  command.runs(invocation, [arguments] { return run_pack(*arguments); });
}

}  // namespace spillway
