#include "app/cli/completion.h"

#include <algorithm>
#include <optional>

namespace spillway {
namespace {

using Paths = Completion::Paths;

// The kind of a value, known by its name in the help: members of families, and paths.
struct ValueKind {
  std::string_view value;
  std::vector<std::string> families;
  Paths paths = Paths::none;
  bool is_list = false;  // several values, separated by commas
};

const ValueKind& kind_of(const std::string& value) {
  static const std::vector<ValueKind> kinds = {{"BACKEND", {"backends"}},
                                               {"POLICY", {"policies"}},
                                               {"POLICIES", {"policies"}, Paths::none, true},
                                               {"PREFETCHER", {"prefetchers"}},
                                               {"DEVICE", {"devices", "drives"}, Paths::files},
                                               {"MACHINE", {"machines", "drives"}, Paths::files},
                                               {"DRIVE", {"drives"}, Paths::files},
                                               {"PRESET", {"models"}},
                                               {"IMPORTER", {"importers"}},
                                               {"RUNTIME", {"runtimes"}},
                                               {"LOCALITY", {"locality"}},
                                               {"DIR", {}, Paths::folders},
                                               {"BITS", {}},
                                               {"DATE", {}},
                                               {"FLOAT", {}},
                                               {"N", {}},
                                               {"RANGE", {}},
                                               {"RATE", {}},
                                               {"SIZE", {}},
                                               {"TIME", {}},
                                               {"UINT", {}}};
  static const ValueKind other{"", {}, Paths::files};
  const auto found =
      std::find_if(kinds.begin(), kinds.end(), [&](const ValueKind& kind) { return kind.value == value; });
  return found == kinds.end() ? other : *found;
}

// Finds completions of one word, which is `text` so far.
class Finder {
 public:
  Finder(const FamilyMembers& members_of, std::string text)
      : members_of_(members_of), text_(std::move(text)) {}

  // Offers a word once: a machine and the drive in it can have the same name.
  void offer(const std::string& word, const std::string& summary) {
    const bool is_there = std::any_of(found_.words.begin(), found_.words.end(),
                                      [&](const Candidate& other) { return other.word == word; });
    if (word.starts_with(text_) && !is_there) {
      found_.words.push_back({word, one_line(summary)});
    }
  }

  void offer_commands(const CommandDescription& command) {
    for (const CommandDescription& one : command.commands) {
      offer(one.name, one.summary);
    }
  }

  // Offers the values of `option`, each with `before` in front: the part of the text that is not the value,
  // as in `--backend=`.
  void offer_values(const OptionDescription& option, const std::string& before) {
    const ValueKind& kind = kind_of(option.value);
    for (const std::string& choice : option.choices) {
      offer(before + choice, "");
    }
    if (option.choices.empty()) {
      found_.paths = kind.paths;
    }
    for (const std::string& family : kind.families) {
      offer_members(members_of_(family), kind.is_list, before);
    }
  }

  Completion found() && { return std::move(found_); }

 private:
  // Offers the names of members and, after a name and a colon, the options of that member.
  void offer_members(const std::vector<NamedMember>& members, bool is_list, const std::string& before) {
    const std::string value = text_.substr(before.size());
    const size_t piece_start = value.find_last_of(is_list ? ",:" : ":,") + 1;
    // Options may follow for the last member that has a colon after its name.
    const size_t colon = value.find_last_of(':');
    if (colon != std::string::npos) {
      const size_t name_start = value.find_last_of(',', colon) + 1;
      const std::string name = value.substr(name_start, colon - name_start);
      for (const NamedMember& member : members) {
        if (member.name == name) {
          for (const Candidate& option : member.options) {
            offer(before + value.substr(0, piece_start) + option.word + "=", option.summary);
          }
        }
      }
    }
    const bool after_comma = piece_start > 0 && value[piece_start - 1] == ',';
    if (piece_start == 0 || (is_list && after_comma)) {
      for (const NamedMember& member : members) {
        offer(before + value.substr(0, piece_start) + member.name, member.summary);
      }
    }
  }

  const FamilyMembers& members_of_;
  std::string text_;
  Completion found_;
};

const OptionDescription* find_option(const CommandDescription& command, const std::string& spelling) {
  for (const OptionDescription& option : command.options) {
    if (std::find(option.spellings.begin(), option.spellings.end(), spelling) != option.spellings.end()) {
      return &option;
    }
  }
  return nullptr;
}

// The place of the cursor, found from the words before it.
class Place {
 public:
  explicit Place(const CommandDescription& program) : program_(&program), command_(&program) {}

  void pass(const std::string& word) {
    if (is_open() && !(open_has_value_ && word.starts_with('-'))) {
      open_has_value_ = true;
      return;
    }
    open_ = nullptr;
    if (only_words_ || !word.starts_with('-') || word.size() == 1) {
      pass_word(word);
    } else if (word == "--") {
      only_words_ = true;
    } else {
      pass_option(word);
    }
  }

  Completion complete(const std::string& text, const FamilyMembers& members_of) const {
    Finder finder(members_of, text);
    const bool is_option = !only_words_ && text.starts_with('-');
    const size_t equals = text.find('=');
    if (is_open() && !(open_has_value_ && is_option)) {
      finder.offer_values(*open_, "");
    } else if (is_option && text.starts_with("--") && equals != std::string::npos) {
      const OptionDescription* option = find_option(*command_, text.substr(0, equals));
      if (option != nullptr && !option->value.empty()) {
        finder.offer_values(*option, text.substr(0, equals + 1));
      }
    } else if (is_option) {
      offer_options(finder);
    } else if (!command_->commands.empty()) {
      if (words_.empty()) {  // a word that is there names no command
        finder.offer_commands(*command_);
      }
    } else if (const OptionDescription* word = next_word()) {
      offer_word(*word, finder);
    }
    return std::move(finder).found();
  }

 private:
  // True if there is an option that takes, or may take, the next word.
  bool is_open() const { return open_ != nullptr && (!open_has_value_ || open_->in_a_row); }

  void pass_word(const std::string& word) {
    if (const CommandDescription* command = command_->find(word); command != nullptr && words_.empty()) {
      command_ = command;
      given_.clear();
    } else {
      words_.push_back(word);
    }
  }

  void pass_option(const std::string& word) {
    const std::string spelling = word.substr(0, word.find('='));
    const OptionDescription* option = find_option(*command_, spelling);
    if (option == nullptr) {
      return;
    }
    given_.push_back(option);
    if (!option->value.empty() && spelling == word) {
      open_ = option;
      open_has_value_ = false;
    }
  }

  void offer_options(Finder& finder) const {
    for (const OptionDescription& option : command_->options) {
      const bool given = std::find(given_.begin(), given_.end(), &option) != given_.end();
      if (!given || option.several) {
        for (const std::string& spelling : option.spellings) {
          finder.offer(spelling, option.help);
        }
      }
    }
  }

  void offer_word(const OptionDescription& word, Finder& finder) const {
    if (word.value != "COMMAND") {
      finder.offer_values(word, "");
      return;
    }
    const CommandDescription* named = program_;
    for (size_t i = 0; i < words_.size() && named != nullptr; ++i) {
      named = named->find(words_[i]);
    }
    if (named != nullptr) {
      finder.offer_commands(*named);
    }
  }

  const OptionDescription* next_word() const {
    size_t index = 0;
    for (const OptionDescription& option : command_->options) {
      if (option.is_word() && (index++ == words_.size() || option.in_a_row)) {
        return &option;
      }
    }
    return nullptr;
  }

  const CommandDescription* program_;
  const CommandDescription* command_;        // the innermost command named so far
  const OptionDescription* open_ = nullptr;  // option whose value comes next
  bool open_has_value_ = false;              // the option has a value already
  bool only_words_ = false;                  // `--` came before
  std::vector<std::string> words_;           // the command's own words
  std::vector<const OptionDescription*> given_;
};

}  // namespace

Completion complete(const CommandDescription& program, const std::vector<std::string>& words,
                    const FamilyMembers& members_of) {
  Place place(program);
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    place.pass(words[i]);
  }
  return place.complete(words.empty() ? "" : words.back(), members_of);
}

}  // namespace spillway
