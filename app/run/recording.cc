#include "app/run/recording.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>

#include "app/run/open_trace.h"
#include "app/run/run.h"
#include "host/file.h"
#include "model/text/chat_template.h"
#include "traces/identity.h"
#include "traces/writer.h"

namespace spillway {
namespace {

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
  const Result<const Tokenizer*> usable = parts.live->tokenizer();
  if (!usable) {
    return Unexpected(usable.error());
  }
  const Tokenizer& tokenizer = **usable;
  parts.chatml = !options.raw && speaks_chatml(tokenizer);
  if (!options.system.empty() && !parts.chatml) {
    return wrong_usage("--system: {}", options.raw
                                           ? "--raw prompts have no system message; leave out one of the two"
                                           : "the model speaks no ChatML; put the text into the prompt");
  }
  if (!options.raw && !parts.chatml) {
    parts.notes.push_back(
        "no chat template was applied: the model has no control tokens <|im_start|> and <|im_end|>, so "
        "prompts are given to it as they are (--raw)");
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
      return wrong_usage("a prompt is empty, and {} has no token to begin a text with; give some text",
                         options.live.model);
    }
    parts.prompts.push_back(std::move(*ids));
  }
  return {};
}

// Reads whole numbers that are separated by blanks, line breaks, commas, semicolons or brackets.
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
        parse_count(text->substr(at, end - at), {.most = parts.live->vocabulary() - 1});
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
  if (const uint64_t trained = parts.live->trained_context(); trained > 0 && needed > trained) {
    parts.notes.push_back(
        fmt::format("the text may have {} tokens, and the model was trained for {} (context_length): what "
                    "it writes beyond them may make no sense",
                    needed, trained));
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

Generation::Sink text_sink(std::FILE* out) {
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

Result<void> run_feed(const RecordOptions& options, Recording& parts, std::FILE* text, Report& report) {
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
  Generation feed(**parts.live->tokenizer(), parts.prompts, std::move(*sampler), options.generation,
                  text_sink(text));
  Result<void> ran = decode(options, parts, feed, report);
  report.live->generated_tokens = feed.generated();
  return ran;
}

// Finishes the trace and the logits, also after an interrupted run: the recorded part is worth keeping.
Result<void> finish_outputs(Recording& parts) {
  if (parts.logits != nullptr) {
    if (Result<void> finished = parts.logits->finish(); !finished) {
      return finished;
    }
  }
  return parts.writer ? parts.writer->finish() : Result<void>();
}

// Adds the ceilings. Belady's needs to know the future, so it is computed from the trace that was just
// recorded, unless the user interrupted the run and has no more time.
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

}  // namespace

Result<Report> record(const RecordOptions& options, const Invocation& invocation, std::FILE* text) {
  Recording parts;
  if (Result<void> prepared = prepare(options, invocation, parts); !prepared) {
    return propagate(prepared);
  }
  Report report = begin_live_report("record", options, parts, invocation);
  report.trace_path = options.output;
  report.config.emplace_back("tokens", fmt::format("{}", options.generation.most_tokens));
  report.config.emplace_back("batch", fmt::format("{}", options.generation.batch));
  report.config.emplace_back("prompts", fmt::format("{}", parts.prompts.size()));
  report.config.emplace_back("temperature", fmt::format("{}", options.sampler.temperature));
  if (Result<void> ran = run_feed(options, parts, text, report); !ran) {
    return propagate(ran);
  }
  if (Result<void> finished = finish_outputs(parts); !finished) {
    return propagate(finished);
  }
  if (!options.output.empty()) {
    report.identity.trace = trace_identity(options.output).value_or("");
  }
  if (Result<void> added = add_live_ceilings(options, parts, report); !added) {
    return propagate(added);
  }
  return report;
}

}  // namespace spillway
