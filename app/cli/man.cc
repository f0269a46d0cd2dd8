#include "app/cli/man.h"

#include <algorithm>
#include <sstream>
#include <string_view>
#include <vector>

#include "app/cli/cli.h"
#include "core/text.h"

namespace spillway {
namespace {

// Escapes `text` so that man(7) shows every character as it is, and hyphens can be copied as hyphens.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string bold(std::string_view text) {
  return "\\fB" + escaped(text) + "\\fR";
}

std::string italic(std::string_view text) {
  return "\\fI" + escaped(text) + "\\fR";
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c; });
  return text;
}

// Adds a line of text. A line that begins like a request of man(7) is escaped.
void add_line(std::string& out, const std::string& line) {
  out += (line.starts_with('.') || line.starts_with('\'') ? "\\&" : "") + line + "\n";
}

// Adds words in lines of the length that man(7) pages have.
void add_prose(std::string& out, const std::string& text) {
  constexpr size_t kLongest = 78;
  std::istringstream words(text);
  std::string line;
  for (std::string word; words >> word;) {
    const std::string next = escaped(word);
    if (!line.empty() && line.size() + 1 + next.size() > kLongest) {
      add_line(out, line);
      line.clear();
    }
    line += (line.empty() ? "" : " ") + next;
  }
  if (!line.empty()) {
    add_line(out, line);
  }
}

// Adds lines with their line breaks as they are.
void add_block(std::string& out, const std::vector<std::string>& lines) {
  if (lines.empty()) {
    return;
  }
  out += ".nf\n.RS 4\n";
  for (const std::string& line : lines) {
    add_line(out, escaped(line));
  }
  out += ".RE\n.fi\n";
}

// The parts of a footer: its body, which is prose and lines that keep their place, and its examples.
struct Footer {
  std::string body;  // already man(7) source
  std::vector<std::string> examples;
};

Footer read_footer(const std::string& text) {
  Footer footer;
  std::string prose;
  std::vector<std::string> block;
  const auto flush = [&] {
    if (!prose.empty()) {
      footer.body += ".PP\n";
      add_prose(footer.body, prose);
    }
    if (!block.empty()) {
      footer.body += ".PP\n";
      add_block(footer.body, block);
    }
    prose.clear();
    block.clear();
  };
  bool in_examples = false;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t start = line.find_first_not_of(' ');
    if (start == std::string::npos) {
      flush();
      in_examples = false;
    } else if (line == "Example:" || line == "Examples:") {
      flush();
      in_examples = true;
    } else if (in_examples) {
      footer.examples.push_back(line.substr(start));
    } else if (start > 0) {
      block.push_back(line.substr(start));
    } else {
      if (!block.empty()) {
        flush();
      }
      prose += line + " ";
    }
  }
  flush();
  return footer;
}

// Returns the synopsis: `spillway replay [OPTION]... TRACE`.
std::string synopsis(const std::string& typed, const CommandDescription& command) {
  std::string line = bold(typed);
  if (!command.commands.empty()) {
    return line + " " + italic("COMMAND") + " [" + italic("OPTION") + "]...";
  }
  for (const OptionDescription& option : command.options) {
    if (!option.is_word() && option.required) {
      line += " " + bold(option.spellings.back()) + " " + italic(option.value);
    }
  }
  line += " [" + italic("OPTION") + "]...";
  for (const OptionDescription& option : command.options) {
    if (option.is_word()) {
      const std::string word = italic(upper(option.name)) + (option.several ? "..." : "");
      line += option.required ? " " + word : " [" + word + "]";
    }
  }
  return line;
}

std::string heading(const OptionDescription& option) {
  if (option.is_word()) {
    return italic(upper(option.name)) + (option.several ? "..." : "");
  }
  std::string line;
  for (const std::string& spelling : option.spellings) {
    line += (line.empty() ? "" : ", ") + bold(spelling);
  }
  if (!option.value.empty()) {
    line += " " + italic(option.value) + (option.in_a_row ? "..." : "");
  }
  return line;
}

std::string ended(std::string text) {
  while (text.ends_with(' ') || text.ends_with('\n')) {
    text.pop_back();
  }
  return text.empty() || text.ends_with('.') ? text : text + ".";
}

void add_option(std::string& out, const OptionDescription& option) {
  out += ".TP\n" + heading(option) + "\n";
  std::string text = ended(option.help);
  if (!option.choices.empty()) {
    text += " One of: " + join(option.choices, ", ") + ".";
  }
  if (!option.default_text.empty()) {
    text += " Default: " + option.default_text + ".";
  }
  if (option.required && !option.is_word()) {
    text += " Required.";
  }
  if (!option.excludes.empty()) {
    text += " Not together with " + join(option.excludes, ", ") + ".";
  }
  add_prose(out, text);
}

void add_options(std::string& out, const CommandDescription& command, bool words, const char* title) {
  const auto wanted = [&](const OptionDescription& option) { return option.is_word() == words; };
  if (std::none_of(command.options.begin(), command.options.end(), wanted)) {
    return;
  }
  out += ".SH " + std::string(title) + "\n";
  for (const OptionDescription& option : command.options) {
    if (wanted(option)) {
      add_option(out, option);
    }
  }
}

void add_commands_of(std::string& out, const CommandDescription& command) {
  if (command.commands.empty()) {
    return;
  }
  out += ".SH COMMANDS\n";
  for (const CommandDescription& one : command.commands) {
    out += ".TP\n" + bold(one.name) + "\n";
    add_prose(out, ended(one.summary) + " See " + man_page_name(one) + "(1).");
  }
}

void add_exit_status(std::string& out) {
  constexpr std::pair<const char*, const char*> kStatuses[] = {
      {"0", "The command has done what was asked."},
      {"1", "The command has failed: a file, a device or the input did not allow it. stderr says why."},
      {"2", "The command line or a configuration asks for something that makes no sense."},
      {"77", "This machine or this user may not do it; nothing is wrong with the request."}};
  out += ".SH EXIT STATUS\n";
  for (const auto& [number, meaning] : kStatuses) {
    out += ".TP\n" + bold(number) + "\n";
    add_prose(out, meaning);
  }
}

// Adds the pages around that of `command`: those of the commands that contain it and of those it contains.
void add_see_also(std::string& out, const CommandDescription& program, const CommandDescription& command) {
  std::vector<std::string> pages;
  for (const CommandDescription* at = &program; at != nullptr && at->path != command.path;) {
    pages.push_back(man_page_name(*at));
    const CommandDescription* next = nullptr;
    for (const CommandDescription& one : at->commands) {
      if (command.path == one.path || command.path.starts_with(one.path + " ")) {
        next = &one;
      }
    }
    at = next;
  }
  for (const CommandDescription& one : command.commands) {
    pages.push_back(man_page_name(one));
  }
  if (pages.empty()) {
    return;
  }
  out += ".SH SEE ALSO\n";
  for (size_t i = 0; i < pages.size(); ++i) {
    out += ".BR " + escaped(pages[i]) + " (1)" + (i + 1 < pages.size() ? ",\n" : "\n");
  }
}

}  // namespace

bool has_name_of_its_own(const CommandDescription& program, const CommandDescription& command) {
  return program.find(std::string(kSecondName)) == &command;
}

std::string man_page_name(const CommandDescription& command) {
  std::string name = command.path;
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string man_page(const CommandDescription& program, const CommandDescription& command,
                     const std::string& date) {
  const std::string name = man_page_name(command);
  const Footer footer = read_footer(command.footer);
  std::string out =
      fmt::format(".\\\" Made from the program's own help by '{} man'; do not edit.\n", program.name);
  out += fmt::format(".TH {} 1 \"{}\" \"{} {}\" \"User Commands\"\n", escaped(upper(name)), date,
                     program.name, program.version);
  const bool has_second_name = has_name_of_its_own(program, command);
  out += ".SH NAME\n" + escaped(name) + (has_second_name ? ", " + escaped(kSecondName) : "") + " \\- " +
         escaped(one_line(command.summary)) + "\n";
  out += ".SH SYNOPSIS\n";
  add_line(out, synopsis(command.path, command));
  if (has_second_name) {
    out += ".br\n";
    add_line(out, synopsis(std::string(kSecondName), command));
  }
  out += ".SH DESCRIPTION\n";
  add_prose(out, ended(command.summary));
  out += footer.body;
  add_commands_of(out, command);
  add_options(out, command, true, "ARGUMENTS");
  add_options(out, command, false, "OPTIONS");
  if (!footer.examples.empty()) {
    out += ".SH EXAMPLES\n";
    add_block(out, footer.examples);
  }
  add_exit_status(out);
  add_see_also(out, program, command);
  return out;
}

}  // namespace spillway
