#include "app/cli/cli.h"
#include "app/run/feeds.h"
#include "app/run/live_run.h"
#include "host/file.h"
#include "model/text/chat_template.h"
#include "traces/writer.h"

namespace spillway {
namespace {

struct RecordOptions : LiveRunOptions {
  std::vector<std::string> prompts;
  std::vector<std::string> prompt_files;
  std::string system;
  bool raw = false;
  GenerationOptions generation;
  SamplerOptions sampler;
  uint32_t context = 0;  // 0: what the prompts and replies need
  std::string output;
  bool force = false;
  bool no_trace = false;
  std::string token_ids;
  std::string logits;
};

struct Recording : LiveRun {
  std::vector<std::vector<TokenId>> prompts;
  bool chatml = false;
  std::unique_ptr<TraceWriter> writer;
  std::unique_ptr<OutputFile> logits;
};

Result<std::vector<TokenId>> encode_prompt(const RecordOptions& options, const Tokenizer& tokenizer,
                                           const std::string& text, bool chatml) {
  if (chatml) {
    std::vector<ChatMessage> messages;
    if (!options.system.empty()) {
      messages.push_back({ChatRole::system, options.system});
    }
    messages.push_back({ChatRole::user, text});
    return encode_chatml(tokenizer, messages);
  }
  Result<std::vector<TokenId>> ids = tokenizer.encode(text);
  if (ids && tokenizer.opening()) {
    ids->insert(ids->begin(), *tokenizer.opening());
  }
  return ids;
}

Result<void> take_prompts(const RecordOptions& options, Recording& parts) {
  const Tokenizer& tokenizer = parts.live->tokenizer();
  parts.chatml = !options.raw && speaks_chatml(tokenizer);
  if (!options.system.empty() && !parts.chatml) {
    return wrong_usage("--system: {}", options.raw ? "--raw prompts have none"
                                                   : "the model speaks no ChatML; put it into the prompt");
  }
  std::vector<std::string> texts = options.prompts;
  for (const std::string& path : options.prompt_files) {
    Result<std::string> text = read_whole(path);
    if (!text) {
      return propagate(text);
    }
    texts.push_back(std::move(*text));
  }
  for (const std::string& text : texts) {
    Result<std::vector<TokenId>> ids = encode_prompt(options, tokenizer, text, parts.chatml);
    if (!ids) {
      return propagate(ids);
    }
    if (ids->empty()) {
      return wrong_usage("a prompt is empty, and {} has no token that a text begins with",
                         options.live.model);
    }
    parts.prompts.push_back(std::move(*ids));
  }
  return {};
}

// Whole numbers with anything but digits and signs between them.
Result<void> take_token_ids(const RecordOptions& options, Recording& parts) {
  Result<std::string> text = read_whole(options.token_ids);
  if (!text) {
    return propagate(text);
  }
  std::vector<TokenId> ids;
  constexpr std::string_view kSeparators = " ,;\t\r\n[]";
  for (size_t at = text->find_first_not_of(kSeparators); at != std::string::npos;) {
    const size_t end = std::min(text->find_first_of(kSeparators, at), text->size());
    const Result<uint64_t> id =
        parse_count(text->substr(at, end - at), {.most = parts.live->tokenizer().size() - 1});
    if (!id) {
      return failed("{}, offset {}: {}", options.token_ids, at, id.error().message);
    }
    ids.push_back(TokenId(*id));
    at = text->find_first_not_of(kSeparators, end);
  }
  if (ids.empty()) {
    return failed("{}: has no token numbers", options.token_ids);
  }
  parts.prompts.push_back(std::move(ids));
  return {};
}

Result<void> take_input(const RecordOptions& options, Recording& parts) {
  Result<void> taken =
      options.token_ids.empty() ? take_prompts(options, parts) : take_token_ids(options, parts);
  if (!taken) {
    return taken;
  }
  const uint64_t more = options.token_ids.empty() ? options.generation.most_tokens : 0;
  uint64_t longest = 0;
  for (const std::vector<TokenId>& prompt : parts.prompts) {
    longest = std::max<uint64_t>(longest, prompt.size());
  }
  const uint64_t needed = longest + more;
  if (needed > std::numeric_limits<uint32_t>::max() || (options.context > 0 && needed > options.context)) {
    return wrong_usage("--context {}: a prompt of {} tokens and a reply of {} need {}", options.context,
                       longest, more, needed);
  }
  parts.context = options.context > 0 ? options.context : uint32_t(needed);
  parts.longest_text = uint32_t(needed);
  parts.length_option = more > longest              ? fmt::format("--tokens {}", more)
                        : options.token_ids.empty() ? fmt::format("a prompt of {} tokens", longest)
                                                    : fmt::format("--token-ids {}", options.token_ids);
  parts.batch = options.generation.batch;
  return {};
}

Result<void> create_outputs(const RecordOptions& options, const Invocation& invocation, Recording& parts) {
  if (!options.logits.empty()) {
    Result<OutputFile> file =
        OutputFile::create(options.logits, OutputFile::Place::rename_when_done, options.force);
    if (!file) {
      return propagate(file);
    }
    parts.logits = std::make_unique<OutputFile>(std::move(*file));
  }
  if (options.output.empty()) {
    return {};
  }
  TraceHeader header;
  header.geometry = parts.live->geometry();
  header.model = parts.live->name();
  header.columns = {.weights = true, .times = true, .lookahead = parts.lookahead > 0, .token_ids = true};
  header.provenance = {{"format", "recorded"},
                       {"gguf", options.live.model},
                       {"prompts", !options.token_ids.empty() ? "token ids"
                                   : parts.chatml             ? "chatml"
                                                              : "raw"},
                       {"threads", fmt::format("{}", parts.live->threads())},
                       {"isa", std::string(name_of(parts.live->isa()))},
                       {"command", invocation.command_line}};
  header.seeds = {{"sampler", options.cache.seed}};
  Result<std::unique_ptr<TraceWriter>> writer = TraceWriter::create(
      options.output, header, {.place = OutputFile::Place::in_place, .replace = options.force});
  if (!writer) {
    return propagate(writer);
  }
  parts.writer = std::move(*writer);
  return {};
}

// A recording must not replace what it is made from.
Result<void> check_outputs(const RecordOptions& options) {
  for (const auto& [flag, path] : {std::pair("-o", options.output), std::pair("--logits", options.logits)}) {
    if (Result<void> file = check_binary_output(flag, path); !file) {
      return file;
    }
  }
  std::vector<std::string> inputs = options.live.store;
  inputs.push_back(options.live.model);
  for (const std::string& input : inputs) {
    for (const std::string& output :
         {options.output, options.logits, options.cache.json, options.cache.timeline}) {
      if (!output.empty() && same_file(output, input)) {
        return wrong_usage("{}: is the input, {}, itself; write to another file", output, input);
      }
    }
  }
  if (same_file(options.output, options.cache.json)) {
    return wrong_usage("--json {}: that is the trace itself; name another file", options.cache.json);
  }
  for (const std::string& output : {options.output, options.logits}) {
    if (!output.empty() && same_file(output, options.cache.timeline)) {
      return wrong_usage("--timeline {}: that is another output of this command; name another file",
                         options.cache.timeline);
    }
  }
  return {};
}

Result<void> check_options(const RecordOptions& options) {
  if (options.no_trace && !options.output.empty()) {
    return wrong_usage("--no-trace: --output says where to write the trace");
  }
  if (!options.no_trace && options.output.empty()) {
    return wrong_usage("record: --output FILE says where to write the trace, --no-trace that none is wanted");
  }
  const bool prompted = !options.prompts.empty() || !options.prompt_files.empty();
  if (prompted == !options.token_ids.empty()) {
    return wrong_usage("record: give either prompts (--prompt, --prompt-file) or --token-ids");
  }
  if (!options.logits.empty() && options.token_ids.empty()) {
    return wrong_usage("--logits: only with --token-ids, whose tokens they belong to");
  }
  return check_outputs(options);
}

// Text goes to stdout as it comes, or to stderr where stdout is the report's.
Generation::Sink text_sink(const RecordOptions& options) {
  std::FILE* out = options.cache.json == "-" ? stderr : stdout;
  return [out](std::string_view text) {
    fmt::print(out, "{}", text);
    std::fflush(out);
  };
}

GivenTokens::Sink logits_sink(Recording& parts) {
  return [&parts](std::span<const float> logits) -> Result<void> {
    if (parts.logits == nullptr) {
      return {};
    }
    return parts.logits->write({reinterpret_cast<const uint8_t*>(logits.data()), logits.size_bytes()});
  };
}

Result<void> decode(const RecordOptions& options, Recording& parts, TokenFeed& feed, Report& report) {
  Decoder::Recorder recorder;
  if (parts.writer != nullptr) {
    recorder = [&parts](const Step& step) { return parts.writer->append(step); };
  }
  return run_live(options, parts, feed, recorder, report);
}

Result<void> run_feed(const RecordOptions& options, Recording& parts, Report& report) {
  if (!options.token_ids.empty()) {
    GivenTokens feed(parts.prompts.front(), options.generation.batch, logits_sink(parts));
    return decode(options, parts, feed, report);
  }
  SamplerOptions sampling = options.sampler;
  sampling.seed = options.cache.seed;
  Result<Sampler> sampler = Sampler::make(sampling);
  if (!sampler) {
    return propagate(sampler);
  }
  Generation feed(parts.live->tokenizer(), parts.prompts, std::move(*sampler), options.generation,
                  text_sink(options));
  Result<void> ran = decode(options, parts, feed, report);
  report.live->generated_tokens = feed.generated();
  return ran;
}

// What was recorded is worth keeping however the run ended.
Result<void> finish_outputs(Recording& parts) {
  if (parts.logits != nullptr) {
    if (Result<void> finished = parts.logits->finish(); !finished) {
      return finished;
    }
  }
  return parts.writer ? parts.writer->finish() : Result<void>();
}

// Belady's ceiling needs to know what comes next: it is worked out from what was just recorded, unless the
// user has no more time.
Result<void> add_live_ceilings(const RecordOptions& options, const Recording& parts, Report& report) {
  if (parts.writer == nullptr || report.interrupted) {
    add_own_ceilings(report);
    return {};
  }
  Result<OpenTrace> trace = open_trace(options.output, std::nullopt);
  if (!trace) {
    return propagate(trace);
  }
  return add_ceilings(trace->steps, parts.policies.cache_bytes, report);
}

Result<void> prepare(const RecordOptions& options, const Invocation& invocation, Recording& parts) {
  if (Result<void> right = check_options(options); !right) {
    return right;
  }
  if (Result<void> opened = open_live(options, parts); !opened) {
    return opened;
  }
  if (Result<void> taken = take_input(options, parts); !taken) {
    return taken;
  }
  if (Result<void> equipped = equip_live(options, parts); !equipped) {
    return equipped;
  }
  if (Result<void> created = create_outputs(options, invocation, parts); !created) {
    return created;
  }
  return load_live(options, parts);
}

Result<void> run_record(const RecordOptions& options, const Invocation& invocation) {
  Recording parts;
  if (Result<void> prepared = prepare(options, invocation, parts); !prepared) {
    return prepared;
  }
  Report report = begin_live_report("record", options, parts, invocation);
  report.trace_path = options.output;
  report.config.emplace_back("tokens", fmt::format("{}", options.generation.most_tokens));
  report.config.emplace_back("batch", fmt::format("{}", options.generation.batch));
  report.config.emplace_back("prompts", fmt::format("{}", parts.prompts.size()));
  report.config.emplace_back("temperature", fmt::format("{}", options.sampler.temperature));
  if (Result<void> ran = run_feed(options, parts, report); !ran) {
    return ran;
  }
  if (Result<void> finished = finish_outputs(parts); !finished) {
    return finished;
  }
  if (Result<void> added = add_live_ceilings(options, parts, report); !added) {
    return added;
  }
  return print_report(report, options.cache.json, stderr);
}

void add_prompt_options(Command command, RecordOptions& options) {
  command.texts("-p,--prompt", options.prompts, "A prompt; more than one make sequences of one trace")
      .type_name("TEXT");
  command.texts("-f,--prompt-file", options.prompt_files, "A file whose text is a prompt").type_name("FILE");
  command.text("--system", options.system, "What a chat begins with").type_name("TEXT");
  command.flag("--raw", options.raw,
               "Take prompts as they are; without, they are messages of a chat\n"
               "where the model was taught to chat");
  command
      .count("-n,--tokens", {.least = 1, .most = 1U << 24}, options.generation.most_tokens,
             "Tokens to generate for each prompt, at most")
      .show_default();
  command
      .count("--batch", {.least = 1, .most = 1U << 16}, options.generation.batch,
             "Prompt tokens of one forward pass")
      .show_default();
  command.flag("--ignore-eos", options.generation.ignore_end, "Go on after the end of a reply");
  command.count("--context", {.least = 1, .most = 1U << 24}, options.context,
                "Tokens of a sequence to have room for (default: what is needed)");
  command.text("--token-ids", options.token_ids, "Feed the token numbers in this file instead of prompts")
      .type_name("FILE");
  command
      .text("--logits", options.logits,
            "Write the logits after each of --token-ids, raw f32, one row of the vocabulary a token")
      .type_name("FILE");
}

void add_sampler_options(Command command, SamplerOptions& options) {
  command.real("--temperature", {0, 100}, options.temperature, "0: always the most likely token")
      .show_default();
  command.count("--top-k", {.most = 1U << 24}, options.top_k, "Only the K most likely tokens; 0: all")
      .show_default();
  command.real("--top-p", {0, 1}, options.top_p, "Only the likeliest that reach this probability together")
      .show_default();
  command
      .real("--min-p", {0, 1}, options.min_p,
            "Only tokens that are at least so likely, relative to the likeliest")
      .show_default();
}

}  // namespace

void add_record_command(Command app, Invocation& invocation) {
  auto options = std::make_shared<RecordOptions>();
  Command command = app.subcommand(
      "record", "Run a model with its experts on the drive, and write which ones each token needed");
  command.footer(
      "The text goes to stdout, everything else to stderr.\n"
      "Examples:\n"
      "  spillway record --model M.gguf --prompt \"Why is the sky blue?\" -n 256 -o trace.bin --cache 8GB\n"
      "  spillway record --model M.gguf -f essay.txt --raw --no-trace --prefetch router:ahead=1\n"
      "  spillway record --model M.gguf --token-ids ids.txt --batch 1 --logits out.f32 --no-trace");
  add_prompt_options(command, *options);
  command.text("-o,--output", options->output, "The trace to write").type_name("FILE");
  command.flag("--force", options->force, "Replace the trace, and the logits, if they exist");
  command.flag("--no-trace", options->no_trace, "Only generate");
  add_live_run_options(command, *options);
  command
      .count("--lookahead", {.most = 1024}, options->lookahead,
             "Record what the routers of the next N layers would choose already here")
      .show_default();
  add_sampler_options(command, options->sampler);
  command.runs(invocation, [options, &invocation] { return run_record(*options, invocation); });
}

}  // namespace spillway
