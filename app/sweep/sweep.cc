#include "app/sweep/sweep.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "app/cli/printable.h"
#include "app/cli/progress.h"
#include "app/cli/shell_line.h"
#include "app/report/report.h"
#include "app/stores/new_store.h"
#include "app/sweep/results.h"
#include "app/sweep/summary.h"
#include "app/sweep/sweep_stores.h"
#include "core/json.h"
#include "core/text.h"
#include "host/interrupt.h"
#include "traces/identity.h"
#ifdef SPILLWAY_STORAGE
#include "host/linux/cgroup.h"
#include "host/linux/process_limits.h"
#endif

namespace spillway {
namespace {

namespace fs = std::filesystem;

// Locks a directory while the object lives. On a file system without locks, nothing is locked.
class DirectoryLock {
 public:
  // Takes the lock. If `wait`, waits until the lock is free or interrupted() is true. Returns false if
  // another process has the lock.
  bool take(const std::string& directory, int mode, bool wait) {
    fd_ = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd_ >= 0 && ::flock(fd_, wait ? mode : mode | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK || interrupted()) {
        return false;
      }
      if (errno != EINTR) {
        break;
      }
    }
    return true;
  }

  DirectoryLock() = default;
  ~DirectoryLock() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int fd_ = -1;
};

// An experiment whose runs have all been checked.
struct PlannedSweep {
  CommandWriter* writer = nullptr;
  Experiment experiment;
  MakePlan make;
  std::vector<PlannedRun> all;
  std::vector<PlannedRun> mine;  // the runs of this shard
  Shard shard;
  std::string folder;  // the folder of the results
  std::map<std::string, std::string> places;
  SweepStores* stores = nullptr;

  // Returns true if a command line refers to the folder of stores.
  bool uses_stores(const std::vector<std::string>& words) const {
    return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
      return word.find(places.at("stores")) != std::string::npos;
    });
  }

  // Returns the words that the machine and the repetition fill in.
  std::map<std::string, std::string> values(const PlannedRun& run) const {
    std::map<std::string, std::string> filled = places;
    filled["repetition"] = fmt::format("{}", run.repetition);
    return filled;
  }
};

Result<PlannedSweep> plan_sweep(const SweepOptions& options, const std::string& file, CommandWriter& writer) {
  PlannedSweep plan;
  plan.writer = &writer;
  Result<Experiment> experiment = read_experiment(file, options.overrides);
  if (!experiment) {
    return propagate(experiment);
  }
  plan.experiment = std::move(*experiment);
  Result<MakePlan> make = plan_make(plan.experiment);
  Result<std::vector<PlannedRun>> runs = plan_runs(plan.experiment);
  if (!make || !runs) {
    return make ? propagate(runs) : propagate(make);
  }
  plan.make = std::move(*make);
  plan.all = std::move(*runs);
  const fs::path root = fs::absolute(options.directory).lexically_normal();
  const std::string name = fs::path(file).stem();
  plan.folder = options.files.size() == 1 ? root.string() : (root / name).string();
  plan.places = {{"made", (root / "made" / plan.make.key).string()},
                 {"stores", (root / "stores").string()},
                 {"here", fs::absolute(file).lexically_normal().parent_path().string()}};
  for (const RunCommand& command : plan.make.commands) {
    if (Result<std::vector<std::string>> words = plan.writer->words(command, plan.places); !words) {
      return propagate(words);
    }
  }
  for (const PlannedRun& run : plan.all) {
    if (run.repetition > 1) {
      continue;  // differs from the first repetition only in its number
    }
    if (Result<std::vector<std::string>> words = plan.writer->words(run.command, plan.values(run)); !words) {
      return wrong_usage("{}: {}", describe(run.point), words.error().message);
    }
  }
  Result<Shard> shard = parse_shard(options.shard);
  if (!shard) {
    return propagate(shard);
  }
  plan.shard = *shard;
  plan.mine = part_of(plan.all, *shard);
  return plan;
}

std::string typed(const std::vector<std::string>& words) {
  return "spillway " + shell_line(words);
}

Result<void> print_commands(const PlannedSweep& plan) {
  fmt::print("# {}\n", printable(plan.experiment.question));
  for (const RunCommand& command : plan.make.commands) {
    fmt::print("{}\n", typed(*plan.writer->words(command, plan.places)));
  }
  for (const PlannedRun& run : plan.mine) {
    fmt::print("{}\n", typed(*plan.writer->words(run.command, plan.values(run))));
  }
  return {};
}

Result<void> make_one(const PlannedSweep& plan, size_t index) {
  const std::string stamp = fmt::format("{}/done-{}.json", plan.places.at("made"), index + 1);
  std::error_code ignored;
  if (fs::exists(stamp, ignored)) {
    return {};
  }
  Result<std::vector<std::string>> words = plan.writer->words(plan.make.commands[index], plan.places);
  if (!words) {
    return propagate(words);
  }
  note("making: {}\n", printable(typed(*words)));
  const auto ignore = [](std::string_view) {};
  Result<ChildRun> child = run_child(*words, false, 0, ignore);
  if (!child) {
    return propagate(child);
  }
  if (interrupted()) {
    return failed("interrupted while inputs were made; run the same command again to continue");
  }
  if (child->status != 0) {
    std::fputs(child->complaint.c_str(), stderr);
    return failed("{}: '{}' ended with status {}", plan.experiment.path, typed(*words), child->status);
  }
  return write_json({{"schema", "spillway.made/1"}, {"command", *words}, {"wall_s", child->wall_s}}, stamp);
}

// Runs the commands of `make`, once for all sweeps that share the directory.
Result<void> make_inputs(const PlannedSweep& plan) {
  for (const char* place : {"made", "stores"}) {
    std::error_code problem;
    fs::create_directories(plan.places.at(place), problem);
    if (problem) {
      return failed("{}: the folder cannot be made: {}", plan.places.at(place), problem.message());
    }
  }
  DirectoryLock lock;
  if (!lock.take(plan.places.at("made"), LOCK_EX, true)) {
    return failed("interrupted while waiting for another sweep to make the inputs");
  }
  for (size_t index = 0; index < plan.make.commands.size(); ++index) {
    if (Result<void> made = make_one(plan, index); !made) {
      return made;
    }
  }
  return {};
}

// Warns if results were made by another version of this program. The names of results contain no version, so
// a new version continues where an older one stopped.
void warn_of_other_versions(const PlannedSweep& plan, const ResultFolder& folder) {
  size_t others = 0;
  std::string commit;
  for (const PlannedRun& run : plan.mine) {
    const std::optional<PointResult> there = folder.find(run.key);
    if (there && !there->commit.empty() && there->commit != program_commit()) {
      ++others;
      commit = there->commit;
    }
  }
  if (others > 0) {
    note(
        "spillway: {} of the existing results are from another version of this program ({}; this "
        "is {}); name another folder to keep the versions apart\n",
        others, printable(commit), program_commit());
  }
}

// Fails if a trace that the runs name is another one than that of the existing results: both would stand in
// one table as repetitions of the same run.
Result<void> check_traces(const PlannedSweep& plan, const ResultFolder& folder) {
  std::map<std::string, std::string> known;  // the identity of each file that is a trace
  std::map<std::string, size_t> others;      // results of another trace, by the path
  for (const PlannedRun& run : plan.mine) {
    const std::optional<PointResult> there = folder.find(run.key);
    if (!there || there->trace.empty()) {
      continue;
    }
    const Result<std::vector<std::string>> words = plan.writer->words(run.command, plan.values(run));
    for (const std::string& word : words ? *words : std::vector<std::string>()) {
      if (!known.contains(word)) {
        known[word] = trace_identity(word).value_or("");
      }
      others[word] += !known[word].empty() && known[word] != there->trace ? 1 : 0;
    }
  }
  for (const auto& [path, results] : others) {
    if (results > 0) {
      return failed(
          "{}: is another trace than the one that {} of the results in {} were made with; name another "
          "folder with "
          "-o, or remove {}/points",
          path, results, folder.directory(), folder.directory());
    }
  }
  return {};
}

// Runs the runs of `plan.mine` that have no result yet, and returns the results of all of them.
Result<std::vector<PointResult>> run_points(const PlannedSweep& plan, const ResultFolder& folder,
                                            bool retry) {
  SweepProgress progress(plan.experiment, plan.mine.size());
  if (Result<void> same = check_traces(plan, folder); !same) {
    return propagate(same);
  }
  warn_of_other_versions(plan, folder);
  std::vector<PointResult> results;
  for (const PlannedRun& run : plan.mine) {
    std::optional<PointResult> there = folder.find(run.key);
    if (there && (there->done || !retry)) {
      progress.passed(run, *there);
      results.push_back(std::move(*there));
      continue;
    }
    Result<std::vector<std::string>> words = plan.writer->words(run.command, plan.values(run));
    if (!words) {
      return propagate(words);
    }
    if (plan.uses_stores(*words)) {
      plan.stores->tell();
    }
    const auto pass_on = [&](std::string_view line) {
      if (line.find(kNewStoreLine) != std::string_view::npos) {
        progress.say(printable(line));
      }
    };
    Result<ChildRun> child = run_child(*words, true, plan.experiment.timeout_s, pass_on);
    if (!child) {
      return propagate(child);
    }
    if (interrupted()) {
      return failed("interrupted: {} of {} runs are done; run the same command again to continue",
                    results.size(), plan.mine.size());
    }
    Result<PointResult> result = folder.keep(run, *words, *child, plan.shard);
    if (!result) {
      return propagate(result);
    }
    progress.ran(run, *result);
    results.push_back(std::move(*result));
  }
  return results;
}

// Returns the first result that was not done, or nothing.
const PointResult* first_missing(const std::vector<PointResult>& results, bool unavailable_too) {
  const auto found = std::find_if(results.begin(), results.end(), [&](const PointResult& result) {
    return !result.done && (unavailable_too || !result.unavailable);
  });
  return found == results.end() ? nullptr : &*found;
}

// Makes the runs of one experiment and prints its table. Returns the reason why some runs were not
// available, or an empty text. The error is unavailable() if no run is available on this machine, and
// failed() if a run failed.
Result<std::string> run_one(const PlannedSweep& plan, const SweepOptions& options) {
  Result<ResultFolder> folder = ResultFolder::open(plan.folder, plan.experiment, plan.all);
  if (!folder) {
    return propagate(folder);
  }
  DirectoryLock lock;
  if (!lock.take(plan.folder + "/points", plan.shard.count == 1 ? LOCK_EX : LOCK_SH, false)) {
    return failed("-o {}: another sweep is using the folder; give each of them a --shard", plan.folder);
  }
  if (Result<void> made = make_inputs(plan); !made) {
    return propagate(made);
  }
  Result<std::vector<PointResult>> results = run_points(plan, *folder, options.retry);
  if (!results) {
    return propagate(results);
  }
  print_summary(plan.experiment, *results);
  const bool none_done =
      std::none_of(results->begin(), results->end(), [](const PointResult& result) { return result.done; });
  if (const PointResult* bad = first_missing(*results, false)) {
    return failed("{}: {}; the first: {}", plan.experiment.path,
                  none_done ? "every run failed" : describe_missing(*results), bad->error);
  }
  const PointResult* missing = first_missing(*results, true);
  if (missing != nullptr && none_done) {
    return unavailable("{}", missing->error);
  }
  return missing == nullptr ? "" : fmt::format("{}: {}", describe_missing(*results), missing->error);
}

// Counts the questions that were answered and keeps the reasons why others were not.
class Answers {
 public:
  explicit Answers(size_t questions) : questions_(questions) {}

  void add(const PlannedSweep& plan, const Result<std::string>& ran) {
    const std::string name = fs::path(plan.experiment.path).stem();
    if (ran) {
      ++answered_;
      if (!ran->empty()) {
        missing_.push_back(fmt::format("{} only in part ({})", name, *ran));
      }
    } else if (ran.error().kind == ErrorKind::unavailable) {
      missing_.push_back(fmt::format("{} needs what is not available here: {}; see {}", name,
                                     ran.error().message, plan.folder));
    } else {
      failure_ = failure_ ? failure_ : ran.error();
      failed_.push_back(fmt::format("{} failed; see {}", name, plan.folder));
      if (questions_ > 1) {
        fmt::print(stderr, "spillway: {}\n", printable(ran.error().message));
      }
    }
  }

  // Prints how many questions were answered, as the last line. What failed is an error, and what is not
  // available is none.
  Result<void> finish() const {
    if (failure_ && questions_ == 1) {
      return Unexpected(*failure_);
    }
    std::vector<std::string> rest = failed_;
    rest.insert(rest.end(), missing_.begin(), missing_.end());
    const std::string line = fmt::format("{} of {} questions answered{}{}", answered_, questions_,
                                         rest.empty() ? "" : "; ", join(rest, "; "));
    if (failure_) {
      return Unexpected(Error{failure_->kind, line});
    }
    if (questions_ > 1 || !rest.empty()) {
      fmt::print("{}\n", printable(line));
    }
    return {};
  }

 private:
  size_t questions_;
  size_t answered_ = 0;
  std::optional<Error> failure_;
  std::vector<std::string> failed_;
  std::vector<std::string> missing_;
};

Result<void> run_all(const std::vector<PlannedSweep>& plans, const SweepOptions& options) {
#ifdef SPILLWAY_STORAGE
  // In a cgroup that systemd delegated, runs can then limit themselves.
  const std::optional<OwnCgroup> own = own_cgroup("memory");
  const std::unique_ptr<LimitedProcess> aside = own ? step_aside(*own) : nullptr;
#endif
  Answers answers(plans.size());
  // If one experiment cannot run, the others still do.
  for (const PlannedSweep& plan : plans) {
    Result<std::string> ran = run_one(plan, options);
    if (interrupted()) {
      return ran ? Result<void>() : propagate(ran);  // the stores stay for the sweep that continues this one
    }
    answers.add(plan, ran);
  }
  if (!plans.empty()) {
    plans.front().stores->clean();
  }
  return answers.finish();
}

}  // namespace

Result<void> sweep(const SweepOptions& options) {
  if (options.directory == "-") {
    return wrong_usage("-o -: the results are files in a folder; name a folder");
  }
  CommandWriter writer;
  std::vector<PlannedSweep> plans;
  std::set<std::string> folders;
  for (const std::string& file : options.files) {
    Result<PlannedSweep> plan = plan_sweep(options, file, writer);
    if (!plan) {
      return Unexpected(Error{plan.error().kind, plan.error().message.starts_with(file)
                                                     ? plan.error().message
                                                     : fmt::format("{}: {}", file, plan.error().message)});
    }
    if (!folders.insert(plan->folder).second) {
      return wrong_usage("{}: another of the experiments has the same name; rename one", file);
    }
    plans.push_back(std::move(*plan));
  }
  if (options.dry_run) {
    for (const PlannedSweep& plan : plans) {
      if (Result<void> printed = print_commands(plan); !printed) {
        return printed;
      }
    }
    return {};
  }
  SweepStores stores(plans.front().places.at("stores"), options.keep_stores || plans.front().shard.count > 1);
  for (PlannedSweep& plan : plans) {
    plan.stores = &stores;
  }
  return run_all(plans, options);
}

}  // namespace spillway
