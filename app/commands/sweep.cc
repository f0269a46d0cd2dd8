#include "app/sweep/sweep.h"

#include "app/cli/cli.h"

namespace spillway {

void add_sweep_command(Command app, Invocation& invocation) {
  auto options = std::make_shared<SweepOptions>();
  Command command =
      app.subcommand("sweep", "Answer a question by many runs, as an experiment file describes them");
  command.footer(
      "Each run is a process of its own, and its report is kept. A run whose report exists is not repeated:\n"
      "an ended sweep goes on where it was, and the shards' results together make the whole sweep.\n"
      "A run for which this machine lacks something is recorded and is no error; a run that fails is one.\n\n"
      "Examples:\n"
      "  spillway sweep experiments/questions/02-backends.json -o results\n"
      "  spillway sweep experiments/questions/*.json --quick -o results\n"
      "  spillway sweep experiments/questions/02-backends.json --set store=/mnt/nvme --shard 1/4 -o results");
  command.texts("files", options->files, "Experiment files (see: experiments/questions)")
      .required()
      .type_name("FILE");
  command
      .output("-o,--output", options->directory,
              "Folder for the results; each of several experiments gets a folder in it")
      .required()
      .type_name("DIR");
  command.flag("--quick", options->overrides.quick,
               "Run the experiment's quick size: minutes instead of hours");
  command
      .texts("--set", options->overrides.set,
             "Change a word that the experiment defines, an option of all its runs, or the values of an axis")
      .one_word_each()
      .type_name("NAME=VALUE");
  command.text("--shard", options->shard, "Run only this part of the runs: 1/4 is the first of four")
      .type_name("I/N");
  command.flag("--retry", options->retry, "Repeat runs that failed or were not available before");
  command.flag("--keep-stores", options->keep_stores,
               "Keep the stores that the runs made in DIR/stores, for further sweeps into DIR");
  command.flag("--dry-run", options->dry_run, "Only print the commands");
  command.runs(invocation, [options] { return sweep(*options); });
}

}  // namespace spillway
