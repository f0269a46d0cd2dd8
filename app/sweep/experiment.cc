#include "app/sweep/experiment.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "app/cli/cli.h"
#include "app/cli/json_file.h"
#include "app/cli/json_keys.h"
#include "core/json.h"
#include "core/nearest.h"
#include "core/parse_json.h"
#include "host/file.h"

namespace spillway {
namespace {

constexpr const char* kExperimentSchema = "spillway.experiment/1";

std::string word_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

bool is_word(const Json& value) {
  return value.is_string() || value.is_number();
}

Result<void> only_keys(const Json& object, const std::string& where, const std::set<std::string>& known) {
  for (const auto& [key, value] : object.items()) {
    if (!known.contains(key)) {
      return wrong_usage("{}: there is no key '{}'{}", where, key,
                         meant_or_all(key, std::vector<std::string>(known.begin(), known.end())));
    }
  }
  return {};
}

bool is_absent(const Json& value) {
  return value.is_null() || (value.is_boolean() && !value.get<bool>());
}

// Puts one option into `words`, or removes it.
Result<void> set_words(const std::string& where, const std::string& name, const Json& value,
                       OptionWords& words) {
  if (is_absent(value)) {
    words.erase(name);
    return {};
  }
  if (value.is_boolean()) {
    words[name] = {};
    return {};
  }
  std::vector<std::string> list;
  for (const Json& one : value.is_array() ? value : Json::array({value})) {
    if (!is_word(one)) {
      return wrong_usage("{}: '{}' must be a text, a number, true, false, null or a list of texts", where,
                         name);
    }
    list.push_back(word_of(one));
  }
  if (list.empty()) {
    return wrong_usage("{}: '{}' is an empty list", where, name);
  }
  words[name] = std::move(list);
  return {};
}

Result<OptionWords> read_options(const Json& object, const std::string& where) {
  OptionWords words;
  if (!object.is_object()) {
    return wrong_usage("{}: must be an object of options", where);
  }
  for (const auto& [name, value] : object.items()) {
    if (Result<void> set = set_words(where, name, value, words); !set) {
      return propagate(set);
    }
  }
  return words;
}

Result<AxisValue> read_axis_value(const std::string& axis, const Json& value) {
  const std::string where = fmt::format("sweep: {}", axis);
  if (value.is_array()) {
    return wrong_usage("{}: a value cannot be a list; give an object with a 'label'", where);
  }
  AxisValue one{value.dump(), {}, {}};
  Json options = {{axis, value}};
  if (value.is_object()) {
    const auto label = value.find("label");
    if (label == value.end() || !is_word(*label)) {
      return wrong_usage("{}: a value that is an object needs a 'label'", where);
    }
    one.json = label->dump();
    options = value;
    options.erase("label");
  }
  Result<OptionWords> sets = read_options(options, where);
  if (!sets) {
    return propagate(sets);
  }
  one.sets = std::move(*sets);
  for (const auto& [name, of_it] : options.items()) {
    if (is_absent(of_it)) {
      one.removes.push_back(name);
    }
  }
  return one;
}

Result<std::vector<Axis>> read_axes(const Json& sweep) {
  std::vector<Axis> axes;
  for (const auto& [name, values] : sweep.items()) {
    if (!values.is_array() || values.empty()) {
      return wrong_usage("sweep: '{}' must be a list of values", name);
    }
    Axis axis{name, {}};
    for (const Json& value : values) {
      Result<AxisValue> one = read_axis_value(name, value);
      if (!one) {
        return propagate(one);
      }
      const auto same = [&](const AxisValue& other) { return other.json == one->json; };
      if (std::any_of(axis.values.begin(), axis.values.end(), same)) {
        return wrong_usage("sweep: '{}' has the value {} twice", name, one->json);
      }
      axis.values.push_back(std::move(*one));
    }
    axes.push_back(std::move(axis));
  }
  return axes;
}

Result<std::vector<RunCommand>> read_make(const Json& list) {
  std::vector<RunCommand> make;
  if (!list.is_array()) {
    return wrong_usage("'make' must be a list of commands");
  }
  for (const Json& entry : list) {
    Result<OptionWords> options = read_options(entry, "make");
    if (!options) {
      return propagate(options);
    }
    const auto command = options->find("command");
    if (command == options->end() || command->second.size() != 1) {
      return wrong_usage("make: each entry needs a 'command', such as \"trace synth\"");
    }
    const std::string name = command->second.front();
    options->erase(command);
    make.push_back({name, std::move(*options)});
  }
  return make;
}

Result<RunOrder> read_order(const Json& value) {
  if (value == "interleaved") {
    return RunOrder::interleaved;
  }
  if (value == "sequential") {
    return RunOrder::sequential;
  }
  if (value == "shuffled") {
    return RunOrder::shuffled;
  }
  return wrong_usage("'order' must be \"interleaved\", \"sequential\" or \"shuffled\"");
}

// Copies the members of `more` into `object[key]`, key by key.
void merge(Json& object, const char* key, const Json& more) {
  Json& into = object[key];
  if (into.is_null()) {
    into = Json::object();
  }
  for (const auto& [name, value] : more.items()) {
    into[name] = value;
  }
}

Result<void> apply_quick(Json& document) {
  const auto found = document.find("quick");
  if (found == document.end()) {
    return wrong_usage("the experiment has no \"quick\" size; run it without --quick");
  }
  const Json quick = *found;
  document.erase("quick");
  if (!quick.is_object()) {
    return wrong_usage("'quick' must be an object");
  }
  const std::set<std::string> as_a_whole = {"make", "order", "plot", "repetitions", "timeout_s"};
  const std::set<std::string> by_key = {"base", "let", "sweep"};
  std::set<std::string> known = as_a_whole;
  known.insert(by_key.begin(), by_key.end());
  if (Result<void> right = only_keys(quick, "quick", known); !right) {
    return right;
  }
  for (const auto& [key, value] : quick.items()) {
    if (!by_key.contains(key)) {
      document[key] = value;
    } else if (value.is_object()) {
      merge(document, key.c_str(), value);
    } else {
      return wrong_usage("quick: '{}' must be an object", key);
    }
  }
  return {};
}

// Returns the value that follows --set NAME= as JSON, in the form that the experiment file would have.
Json json_of(const std::string& text) {
  const Json value = Json::parse(text, nullptr, false);
  return value.is_number() || value.is_boolean() || value.is_null() ? value : Json(text);
}

Result<void> narrow_axis(const std::string& name, const std::string& text, Json& values) {
  Json narrowed = Json::array();
  for (const std::string& word : split_list(text)) {
    const auto labelled = std::find_if(values.begin(), values.end(), [&](const Json& value) {
      return value.is_object() && value.contains("label") && word_of(value["label"]) == word;
    });
    const bool has_labels =
        std::any_of(values.begin(), values.end(), [](const Json& value) { return value.is_object(); });
    if (has_labels && labelled == values.end()) {
      return wrong_usage("--set {}: the axis has no value with the label '{}'", name, word);
    }
    narrowed.push_back(has_labels ? *labelled : json_of(word));
  }
  if (narrowed.empty()) {
    return wrong_usage("--set {}=: give the axis at least one value", name);
  }
  values = std::move(narrowed);
  return {};
}

Result<void> apply_set(const std::string& setting, Json& document) {
  const size_t equals = setting.find('=');
  if (equals == std::string::npos || equals == 0) {
    return wrong_usage("--set {}: must be NAME=VALUE", setting);
  }
  const std::string name = setting.substr(0, equals);
  const std::string text = setting.substr(equals + 1);
  if (document.contains("sweep") && document["sweep"].is_object() && document["sweep"].contains(name)) {
    return narrow_axis(name, text, document["sweep"][name]);
  }
  const bool is_let =
      document.contains("let") && document["let"].is_object() && document["let"].contains(name);
  document[is_let ? "let" : "base"][name] = json_of(text);
  return {};
}

Result<void> read_let(const Json& let, Experiment& experiment) {
  if (!let.is_object()) {
    return wrong_usage("'let' must be an object");
  }
  for (const auto& [name, value] : let.items()) {
    if (!is_word(value)) {
      return wrong_usage("let: '{}' must be a text or a number", name);
    }
    if (name == "made" || name == "stores" || name == "here" || name == "repetition") {
      return wrong_usage("let: {{{}}} has a fixed meaning; choose another name", name);
    }
    experiment.let[name] = word_of(value);
  }
  return {};
}

Result<void> read_figures(const Json& plot, Experiment& experiment) {
  if (!plot.is_object()) {
    return wrong_usage("'plot' must be an object");
  }
  if (const auto answer = plot.find("answer");
      answer != plot.end() && *answer != "ranking" && *answer != "along") {
    return wrong_usage("plot: 'answer' must be ranking or along");
  }
  const auto y = plot.find("y");
  if (y == plot.end()) {
    return {};
  }
  for (const Json& name : y->is_array() ? *y : Json::array({*y})) {
    if (!name.is_string()) {
      return wrong_usage("plot: 'y' must name one figure or a list of them");
    }
    experiment.figures.push_back(name.get<std::string>());
  }
  return {};
}

Result<void> read_counts(const Json& document, Experiment& experiment) {
  const Json repetitions = document.value("repetitions", Json(1U));
  if (!repetitions.is_number_unsigned() || repetitions < 1U || repetitions > 10'000U) {
    return wrong_usage("'repetitions' must be a whole number from 1 to 10000");
  }
  experiment.repetitions = repetitions.get<uint32_t>();
  const Json timeout = document.value("timeout_s", Json(0U));
  if (!timeout.is_number() || timeout < 0) {
    return wrong_usage("'timeout_s' must be a number of seconds");
  }
  experiment.timeout_s = timeout.get<double>();
  Result<RunOrder> order = read_order(document.value("order", Json("interleaved")));
  if (!order) {
    return propagate(order);
  }
  experiment.order = *order;
  return {};
}

// Reads an experiment. `document` is complete, since the overrides have been applied.
Result<Experiment> from_json(const Json& document) {
  if (Result<void> right = only_keys(document, "the experiment",
                                     {"about", "base", "let", "make", "order", "plot", "question", "quick",
                                      "repetitions", "schema", "sweep", "timeout_s"});
      !right) {
    return propagate(right);
  }
  Experiment experiment;
  const Json question = document.value("question", Json());
  if (!question.is_string() || question.get<std::string>().empty()) {
    return wrong_usage("the experiment needs a 'question', which is a sentence");
  }
  experiment.question = question.get<std::string>();
  Result<OptionWords> base = read_options(document.value("base", Json::object()), "base");
  Result<std::vector<RunCommand>> make = read_make(document.value("make", Json::array()));
  Result<std::vector<Axis>> axes = read_axes(document.value("sweep", Json::object()));
  if (!base || !make || !axes) {
    return !base ? propagate(base) : !make ? propagate(make) : propagate(axes);
  }
  experiment.base = std::move(*base);
  experiment.make = std::move(*make);
  experiment.axes = std::move(*axes);
  for (const Result<void>& read :
       {read_let(document.value("let", Json::object()), experiment), read_counts(document, experiment),
        read_figures(document.value("plot", Json::object()), experiment)}) {
    if (!read) {
      return Unexpected(read.error());
    }
  }
  return experiment;
}

Result<Json> parse_document(const std::string& text) {
  Result<Json> document = parse_json(text, {.most_bytes = kMostDocumentBytes});
  if (!document) {
    return document;
  }
  if (JsonKeys(*document).text("schema", "") != kExperimentSchema) {
    return failed("not a JSON object of schema {}", kExperimentSchema);
  }
  for (const char* key : {"base", "sweep", "let"}) {
    if (document->contains(key) && !(*document)[key].is_object()) {
      return wrong_usage("'{}' must be an object", key);
    }
  }
  return document;
}

Result<Experiment> read_text(const std::string& text, const ExperimentOverrides& overrides) {
  Result<Json> document = parse_document(text);
  if (!document) {
    return propagate(document);
  }
  if (overrides.quick) {
    if (Result<void> applied = apply_quick(*document); !applied) {
      return propagate(applied);
    }
  }
  for (const std::string& setting : overrides.set) {
    if (Result<void> applied = apply_set(setting, *document); !applied) {
      return propagate(applied);
    }
  }
  Result<Experiment> experiment = from_json(*document);
  if (experiment) {
    document->erase("quick");
    (*document)["size"] = overrides.quick ? "quick" : "full";
    experiment->document = document->dump(2, ' ', false, Json::error_handler_t::replace);
  }
  return experiment;
}

}  // namespace

Result<Experiment> read_experiment(const std::string& path, const ExperimentOverrides& overrides) {
  Result<std::string> text = read_whole(path);
  if (!text) {
    return propagate(text);
  }
  Result<Experiment> experiment = read_text(*text, overrides);
  if (!experiment) {
    return Unexpected(
        Error{experiment.error().kind, fmt::format("{}: {}", path, experiment.error().message)});
  }
  experiment->path = path;
  return experiment;
}

}  // namespace spillway
