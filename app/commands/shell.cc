#include <fmt/core.h>

#include <filesystem>
#include <memory>

#include "app/cli/cli.h"
#include "app/cli/completion.h"
#include "app/cli/man.h"
#include "app/cli/printable.h"
#include "app/commands/families.h"
#include "host/file.h"

// Commands that describe the other commands to a shell and to the manual, from the help of each.
namespace spillway {
namespace {

namespace fs = std::filesystem;

struct ManOptions {
  std::vector<std::string> command;
  std::string folder;
  std::string date;
};

Result<void> write_pages(const CommandDescription& program, const CommandDescription& command,
                         const ManOptions& options) {
  const fs::path page = fs::path(options.folder) / (man_page_name(command) + ".1");
  Result<OutputFile> file = OutputFile::create(page, OutputFile::Place::rename_when_done, true);
  if (!file) {
    return propagate(file);
  }
  if (Result<void> written = file->write(man_page(program, command, options.date)); !written) {
    return written;
  }
  if (Result<void> finished = file->finish(); !finished) {
    return finished;
  }
  if (has_name_of_its_own(program, command)) {
    const fs::path link = fs::path(options.folder) / (std::string(kSecondName) + ".1");
    std::error_code problem;
    fs::remove(link, problem);
    fs::create_symlink(page.filename(), link, problem);
    if (problem) {
      return failed("{}: {}", link.string(), problem.message());
    }
  }
  for (const CommandDescription& one : command.commands) {
    if (Result<void> written = write_pages(program, one, options); !written) {
      return written;
    }
  }
  return {};
}

Result<void> run_man(const CommandDescription& program, const ManOptions& options) {
  const CommandDescription* command = &program;
  for (const std::string& word : options.command) {
    const CommandDescription* next = command->find(word);
    if (next == nullptr) {
      return wrong_usage("there is no command '{} {}'; see {} --help", command->path, word, program.name);
    }
    command = next;
  }
  if (options.folder.empty()) {
    fmt::print("{}", man_page(program, *command, options.date));
    return {};
  }
  std::error_code problem;
  fs::create_directories(options.folder, problem);
  if (problem) {
    return failed("{}: {}", options.folder, problem.message());
  }
  return write_pages(program, *command, options);
}

std::vector<NamedMember> members_of(const std::string& family) {
  std::vector<NamedMember> members;
  for (const FamilyMember& member : family_members(family)) {
    members.push_back({member.name, member.summary, {}});
    for (const OptionInfo& option : member.options) {
      members.back().options.push_back({option.name, option.help});
    }
  }
  return members;
}

Result<void> run_complete(const CommandDescription& program, const std::vector<std::string>& words) {
  const Completion completion = complete(program, words, members_of);
  for (const Candidate& candidate : completion.words) {
    fmt::print("{}\t{}\n", printable(candidate.word), printable(candidate.summary));
  }
  if (completion.paths != Completion::Paths::none) {
    fmt::print("{}\n", completion.paths == Completion::Paths::files ? ":files" : ":folders");
  }
  return {};
}

}  // namespace

void add_man_command(Command app, Invocation& invocation) {
  auto options = std::make_shared<ManOptions>();
  Command command = app.subcommand("man", "Print or write manual pages, made from the help");
  command.footer(
      "Examples:\n"
      "  spillway man replay | man -l -\n"
      "  spillway man -o ~/.local/share/man/man1");
  command
      .texts("command", options->command,
             "The command whose page is printed, as in 'trace synth' (default: the program's own page)")
      .type_name("COMMAND");
  command
      .output("-o,--output", options->folder,
              "Write the page, and those of all commands in it, into this folder instead of to stdout")
      .type_name("DIR");
  command.text("--date", options->date, "Date at the foot of a page, as YYYY-MM-DD").type_name("DATE");
  command.runs(invocation, [app, options] { return run_man(describe_program(app), *options); });
}

void add_completion_commands(Command app, Invocation& invocation) {
  auto shell = std::make_shared<std::string>();
  Command completions =
      app.subcommand("completions", "Print a script that teaches a shell to complete commands");
  completions.footer(
      "A package installs the scripts where the shells look for them. The examples are for a program that\n"
      "lies elsewhere.\n\n"
      "Examples:\n"
      "  source <(spillway completions bash)\n"
      "  source <(spillway completions zsh)\n"
      "  spillway completions fish | source");
  completions.text("shell", *shell, "The shell whose script is printed")
      .required()
      .one_of({"bash", "zsh", "fish"});
  completions.runs(invocation, [shell]() -> Result<void> {
    fmt::print("{}", completion_script(*shell));
    return {};
  });

  auto words = std::make_shared<std::vector<std::string>>();
  Command complete = app.subcommand("complete", "Print what may follow the words of a command line");
  complete.hidden();
  complete.texts("words", *words, "The words after the program's name, up to the cursor");
  complete.runs(invocation, [app, words] { return run_complete(describe_program(app), *words); });
}

}  // namespace spillway
