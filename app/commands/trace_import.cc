#include <fmt/core.h>

#include "app/cli/printable.h"
#include "app/cli/progress.h"
#include "app/commands/trace_commands.h"

namespace spillway {
namespace {

struct ImportArguments {
  std::string input;
  std::string format;
  std::optional<uint32_t> prompt_tokens;
  ModelOptions model;
  OutputOptions output;
};

Result<uint64_t> content_bytes(const std::string& path) {
  Result<PlainInput> file = PlainInput::open(path);
  return file ? file->size() : Unexpected(file.error());
}

Result<void> run_import(const ImportArguments& arguments, const std::string& command_line) {
  if (Result<void> other = arguments.output.check_binary(); !other) {
    return other;
  }
  Result<const Importer*> importer = find_importer(arguments.format, arguments.input);
  if (!importer) {
    return propagate(importer);
  }
  Result<ImportOptions> options = arguments.model.resolve();
  if (!options) {
    return propagate(options);
  }
  options->prompt_tokens = arguments.prompt_tokens;
  std::unique_ptr<TraceWriter> writer;
  Result<uint64_t> bytes = content_bytes(arguments.input);
  if (!bytes) {
    return propagate(bytes);
  }
  std::optional<Progress> progress(std::in_place, "importing", *bytes, Progress::Unit::bytes);
  std::vector<std::string> notes;
  ImportSink sink;
  sink.progress = [&](uint64_t bytes_read) { progress->at(bytes_read); };
  sink.note = [&](const std::string& sentence) { notes.push_back(sentence); };
  sink.begin = [&](const TraceHeader& header) -> Result<void> {
    TraceHeader described = header;
    described.provenance.emplace_back("command", command_line);
    Result<std::unique_ptr<TraceWriter>> made = create_trace(arguments.output, described);
    if (!made) {
      return propagate(made);
    }
    writer = std::move(*made);
    return {};
  };
  sink.append = [&](const Step& step) -> Result<void> {
    if (interrupted()) {
      return failed("interrupted after {} steps; nothing was kept", writer->steps());
    }
    return writer->append(step);
  };
  if (Result<void> imported = (*importer)->import_file(arguments.input, *options, sink); !imported) {
    return imported;
  }
  progress.reset();
  for (const std::string& sentence : notes) {
    note("{}: {}\n", printable(arguments.input), sentence);
  }
  return finish_trace(*writer, arguments.output);
}

}  // namespace

void add_trace_import(Command trace, Invocation& invocation) {
  Command command = trace.subcommand("import", "Convert a trace that another project recorded");
  auto arguments = std::make_shared<ImportArguments>();
  std::string formats;
  for (const Importer& importer : importers()) {
    formats += fmt::format("\n  {:<14} {}", importer.name, importer.summary);
  }
  command.text("file", arguments->input, "The recording to convert").required().type_name("FILE");
  command.text("--from", arguments->format, "Format of the recording (default: recognised from its content)")
      .type_name("IMPORTER");
  command
      .count("--prompt-tokens", {1, UINT32_MAX}, arguments->prompt_tokens,
             "Take the first N tokens as one prefill, where the recording does not tell them apart (npy)")
      .type_name("N");
  arguments->output.declare(command);
  arguments->model.declare(command);
  command.footer("Formats:" + formats +
                 "\n\nExamples:\n"
                 "  spillway trace import bigmoe-qwen.route.csv -o qwen.bin --native-top-k 8\n"
                 "  spillway trace import warp-olmoe_299.jsonl -o olmoe.bin --model olmoe-1b-7b:Q4_K\n"
                 "  spillway trace import routed_experts.npy -o t.bin --experts 128 --expert-bytes 2.6MB\n"
                 "\nA file may be compressed with zstd or gzip.");
  command.runs(invocation,
               [arguments, &invocation] { return run_import(*arguments, invocation.command_line); });
}

}  // namespace spillway
