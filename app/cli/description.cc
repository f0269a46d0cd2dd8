#include "app/cli/description.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "app/cli/command.h"

namespace spillway {
namespace {

// CLI11 keeps the name of a value and its choices in one text: `TEXT:{small,thp,hugetlb}`.
void split_type(const std::string& type, OptionDescription& description) {
  const size_t brace = type.find(":{");
  description.value = type.substr(0, brace);
  if (brace == std::string::npos || !type.ends_with('}')) {
    return;
  }
  description.choices = CLI::detail::split(type.substr(brace + 2, type.size() - brace - 3), ',');
}

OptionDescription describe(const CLI::Option& option) {
  OptionDescription description;
  for (const std::string& name : option.get_snames()) {
    description.spellings.push_back("-" + name);
  }
  for (const std::string& name : option.get_lnames()) {
    description.spellings.push_back("--" + name);
  }
  description.name = option.get_positional() ? option.get_name(true) : description.spellings.back();
  if (option.get_items_expected_max() > 0) {
    split_type(option.get_type_name(), description);
  }
  description.default_text = option.get_default_str();
  description.required = option.get_required();
  description.several = option.get_expected_max() > 1;
  description.in_a_row = description.several && (option.get_positional() || option.get_allow_extra_args());
  for (const CLI::Option* other : option.get_excludes()) {
    description.excludes.push_back(other->get_name());
  }
  // CLI11 keeps these in a set of pointers, whose order differs from process to process.
  std::sort(description.excludes.begin(), description.excludes.end());
  description.help = option.get_description();
  return description;
}

CommandDescription describe(const CLI::App& app, const std::string& path) {
  CommandDescription description;
  description.name = app.get_name();
  description.path = path;
  description.summary = app.get_description();
  description.footer = app.get_footer();
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_group().empty()) {
      description.options.push_back(describe(*option));
    }
  }
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) {
      description.commands.push_back(describe(*command, path + " " + command->get_name()));
    }
  }
  return description;
}

}  // namespace

const CommandDescription* CommandDescription::find(const std::string& command) const {
  const auto found = std::find_if(commands.begin(), commands.end(),
                                  [&](const CommandDescription& one) { return one.name == command; });
  return found == commands.end() ? nullptr : &*found;
}

CommandDescription describe_program(const Command& program) {
  const CLI::App& app = *program.app_;
  CommandDescription description = describe(app, app.get_name());
  description.version = app.version();
  return description;
}

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char character) { return character < ' '; }, ' ');
  return text;
}

}  // namespace spillway
