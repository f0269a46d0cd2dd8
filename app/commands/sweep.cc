#include "app/sweep/sweep.h"

#include "app/cli/cli.h"

namespace spillway {

void add_sweep_command(Command app, Invocation& invocation) {
  auto options = std::make_shared<SweepOptions>();
  Command command =
      app.subcommand("sweep", "Answer a question by many runs: all that an experiment file asks for");
  command.footer(
      "Each run is a process of its own, and its report is kept. What is there already is not run again: a\n"
      "sweep that was ended goes on where it was, and those of all shards together are the whole.\n\n"
      "Examples:\n"
      "  spillway sweep experiments/questions/02-backends.json -o results\n"
      "  spillway sweep experiments/questions/*.json --quick -o results\n"
      "  spillway sweep experiments/questions/02-backends.json --set store=/mnt/nvme --shard 1/4 -o results");
  command.texts("files", options->files, "Experiment files (see: experiments/questions)")
      .required()
      .type_name("FILE");
  command
      .text("-o,--output", options->directory, "Where the results go; of several experiments, a folder each")
      .required()
      .type_name("DIR");
  command.flag("--quick", options->overrides.quick, "The experiment's quick size: minutes instead of hours");
  command
      .texts("--set", options->overrides.set,
             "Change a word that the experiment defines, an option of all its runs, or the values of an axis")
      .one_word_each()
      .type_name("NAME=VALUE");
  command.text("--shard", options->shard, "Only this part of the runs: 1/4 is the first of four")
      .type_name("I/N");
  command.flag("--retry", options->retry, "Run again what failed or was not available before");
  command.flag("--dry-run", options->dry_run, "Only print the commands");
  command.runs(invocation, [options] { return sweep(*options); });
}

}  // namespace spillway
