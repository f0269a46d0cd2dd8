#include "app/sweep/points.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "app/cli/cli.h"
#include "core/rng.h"

namespace spillway {
namespace {

// Words that are filled in late, by the machine or by the repetition.
const std::vector<std::string> kLateWords = {"made", "stores", "here", "repetition"};

// A 64-bit hash of words that names a result. An experiment has thousands of runs, so two runs with the same
// name are too improbable to matter.
class Fingerprint {
 public:
  void add(const std::string& word) {
    for (const char c : word) {
      state_ = mix64(state_ ^ uint8_t(c));
    }
    state_ = mix64(state_ ^ 0x100);  // marks the end of the word
  }

  void add(const RunCommand& command) {
    add(command.name);
    for (const auto& [name, words] : command.options) {
      add(name);
      for (const std::string& word : words) {
        add(word);
      }
      add(std::string());
    }
  }

  uint64_t value() const { return state_; }
  std::string hex() const { return fmt::format("{:016x}", state_); }

 private:
  uint64_t state_ = 0;
};

Result<OptionWords> fill_in_all(const OptionWords& options, const std::map<std::string, std::string>& values,
                                const std::vector<std::string>& kept) {
  OptionWords filled;
  for (const auto& [name, words] : options) {
    std::vector<std::string>& list = filled[name];
    for (const std::string& word : words) {
      Result<std::string> text = fill_in(word, values, kept);
      if (!text) {
        return propagate(text);
      }
      list.push_back(std::move(*text));
    }
  }
  return filled;
}

// A choice of one value for each axis, with the resulting options and words of `let`.
struct Choice {
  PointOf point;
  OptionWords options;
  std::map<std::string, std::string> let;
};

Result<void> choose(const Axis& axis, const AxisValue& value, Choice& choice) {
  choice.point.emplace_back(axis.name, value.json);
  for (const auto& [name, words] : value.sets) {
    if (!choice.let.contains(name)) {
      choice.options[name] = words;
      continue;
    }
    if (words.size() != 1) {
      return wrong_usage("sweep: {}: {{{}}} must have exactly one value", axis.name, name);
    }
    choice.let[name] = words.front();
  }
  for (const std::string& name : value.removes) {
    choice.options.erase(name);
  }
  return {};
}

Result<PlannedRun> plan_point(const Choice& choice, const std::string& make_key) {
  // A value in `let` may itself contain a word that the machine fills in, such as {made}.
  Result<OptionWords> options = fill_in_all(choice.options, choice.let, kLateWords);
  if (!options) {
    return propagate(options);
  }
  const auto command = options->find("command");
  if (command == options->end() || command->second.size() != 1) {
    return wrong_usage("base: give a 'command', such as \"replay\"");
  }
  PlannedRun run{choice.point, {command->second.front(), {}}, 1, {}};
  options->erase(command);
  run.command.options = std::move(*options);
  if (run.command.options.contains("json")) {
    return wrong_usage("'json' must be left out: the sweep sets the option itself to keep each run's report");
  }
  Fingerprint key;
  key.add(make_key);
  for (const auto& [axis, value] : run.point) {
    key.add(axis);
    key.add(value);
  }
  key.add(run.command);
  run.key = key.hex();
  return run;
}

// Plans a run for every combination of the axes' values; the last axis varies fastest.
Result<std::vector<PlannedRun>> plan_points(const Experiment& experiment, const std::string& make_key) {
  constexpr size_t kMostPoints = 1'000'000;
  size_t count = 1;
  for (const Axis& axis : experiment.axes) {
    count *= axis.values.size();
    if (count > kMostPoints) {
      return wrong_usage("sweep: the axes must make at most {} points", kMostPoints);
    }
  }
  std::vector<PlannedRun> points;
  for (size_t index = 0; index < count; ++index) {
    Choice choice{{}, experiment.base, experiment.let};
    size_t block = count;
    for (const Axis& axis : experiment.axes) {
      block /= axis.values.size();
      if (Result<void> chosen = choose(axis, axis.values[index / block % axis.values.size()], choice);
          !chosen) {
        return propagate(chosen);
      }
    }
    Result<PlannedRun> point = plan_point(choice, make_key);
    if (!point) {
      return propagate(point);
    }
    points.push_back(std::move(*point));
  }
  return points;
}

// Shuffles the runs (Fisher and Yates). The same points get the same order in the same repetition.
void shuffle(std::vector<PlannedRun>& runs, uint32_t repetition) {
  Fingerprint seed;
  for (const PlannedRun& run : runs) {
    seed.add(run.key);
  }
  Rng rng(mix64(seed.value() ^ repetition));
  for (size_t i = runs.size(); i > 1; --i) {
    std::swap(runs[i - 1], runs[rng.below(i)]);
  }
}

std::vector<PlannedRun> repeat(const std::vector<PlannedRun>& points, uint32_t repetitions, RunOrder order) {
  std::vector<PlannedRun> runs;
  const auto append = [&](PlannedRun run, uint32_t repetition) {
    run.repetition = repetition;
    run.key += fmt::format("-{}", repetition);
    runs.push_back(std::move(run));
  };
  if (order == RunOrder::sequential) {
    for (const PlannedRun& point : points) {
      for (uint32_t repetition = 1; repetition <= repetitions; ++repetition) {
        append(point, repetition);
      }
    }
    return runs;
  }
  for (uint32_t repetition = 1; repetition <= repetitions; ++repetition) {
    std::vector<PlannedRun> round = points;
    if (order == RunOrder::shuffled) {
      shuffle(round, repetition);
    }
    for (PlannedRun& run : round) {
      append(std::move(run), repetition);
    }
  }
  return runs;
}

}  // namespace

Result<std::string> fill_in(const std::string& text, const std::map<std::string, std::string>& values,
                            const std::vector<std::string>& kept) {
  std::string filled;
  size_t at = 0;
  while (at < text.size()) {
    const size_t open = text.find('{', at);
    const size_t close = open == std::string::npos ? open : text.find('}', open);
    if (close == std::string::npos) {
      break;
    }
    const std::string name = text.substr(open + 1, close - open - 1);
    filled += text.substr(at, open - at);
    if (const auto value = values.find(name); value != values.end()) {
      filled += value->second;
    } else if (std::find(kept.begin(), kept.end(), name) != kept.end()) {
      filled += text.substr(open, close - open + 1);
    } else {
      std::vector<std::string> known = kept;
      for (const auto& [word, meaning] : values) {
        known.push_back(word);
      }
      return wrong_usage("'{}': {{{}}} is not defined; known words: {}", text, name, fmt::join(known, ", "));
    }
    at = close + 1;
  }
  return filled + text.substr(at);
}

CommandWriter::CommandWriter() : commands_("spillway", "", "") {
  add_commands(commands_.program(), ignored_);
}

Result<std::vector<std::string>> CommandWriter::words(const RunCommand& command,
                                                      const std::map<std::string, std::string>& values) {
  Result<OptionWords> options = fill_in_all(command.options, values, {});
  if (!options) {
    return propagate(options);
  }
  std::vector<std::string> words;
  std::istringstream names(command.name);
  for (std::string name; names >> name;) {
    words.push_back(name);
  }
  // Positional arguments come first: after an option that takes several values they would become its values.
  const size_t alone_end = words.size();
  for (const auto& [name, list] : *options) {
    Result<std::string> spelled = commands_.spelling(command.name, name);
    if (!spelled) {
      return propagate(spelled);
    }
    if (spelled->empty()) {
      words.insert(words.begin() + ptrdiff_t(alone_end), list.begin(), list.end());
    } else if (list.empty()) {
      words.push_back(*spelled);
    }
    for (size_t i = 0; i < list.size() && !spelled->empty(); ++i) {
      words.insert(words.end(), {*spelled, list[i]});
    }
  }
  const Result<bool> parsed = commands_.parse(words);
  if (!parsed) {
    return Unexpected(parsed.error());
  }
  return words;
}

Result<MakePlan> plan_make(const Experiment& experiment) {
  MakePlan plan;
  Fingerprint key;
  for (const RunCommand& command : experiment.make) {
    Result<OptionWords> options = fill_in_all(command.options, experiment.let, {"made", "stores", "here"});
    if (!options) {
      return propagate(options);
    }
    plan.commands.push_back({command.name, std::move(*options)});
    key.add(plan.commands.back());
  }
  plan.key = key.hex();
  return plan;
}

Result<std::vector<PlannedRun>> plan_runs(const Experiment& experiment) {
  Result<MakePlan> make = plan_make(experiment);
  if (!make) {
    return propagate(make);
  }
  Result<std::vector<PlannedRun>> points = plan_points(experiment, make->key);
  if (!points) {
    return propagate(points);
  }
  return repeat(*points, experiment.repetitions, experiment.order);
}

Result<Shard> parse_shard(const std::string& text) {
  const size_t slash = text.find('/');
  if (slash == std::string::npos) {
    return wrong_usage("--shard {}: must be INDEX/COUNT, such as 1/4 for the first of four", text);
  }
  const Result<uint64_t> index = parse_count(text.substr(0, slash), {.least = 1, .most = 1U << 20});
  const Result<uint64_t> count = parse_count(text.substr(slash + 1), {.least = 1, .most = 1U << 20});
  if (!index || !count || *index > *count) {
    return wrong_usage("--shard {}: must be INDEX/COUNT, such as 1/4 for the first of four", text);
  }
  return Shard{uint32_t(*index), uint32_t(*count)};
}

std::vector<PlannedRun> part_of(std::vector<PlannedRun> runs, Shard shard) {
  std::vector<std::string> keys;
  for (const PlannedRun& run : runs) {
    keys.push_back(run.key);
  }
  std::sort(keys.begin(), keys.end());
  const auto is_other = [&](const PlannedRun& run) {
    const auto rank = std::lower_bound(keys.begin(), keys.end(), run.key) - keys.begin();
    return uint64_t(rank) % shard.count + 1 != shard.index;
  };
  std::erase_if(runs, is_other);
  return runs;
}

}  // namespace spillway
