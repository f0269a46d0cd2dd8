#include "app/report/report.h"

#include <fmt/format.h>

#include <filesystem>

#include "app/cli/cli.h"
#include "app/cli/printable.h"
#include "app/cli/progress.h"
#include "app/page/sections.h"
#include "app/report/host.h"
#include "host/file.h"

namespace spillway {
namespace {

struct ReportOptions {
  std::vector<std::string> inputs;
  std::string output;
  std::string title;
  std::string plots;
};

Result<void> write_page(const page::Page& page, const std::string& path) {
  Result<OutputFile> file = path == "-" ? OutputFile::standard_output()
                                        : OutputFile::create(path, OutputFile::Place::rename_when_done, true);
  if (!file) {
    return propagate(file);
  }
  if (Result<void> written = file->write(page::to_html(page)); !written) {
    return written;
  }
  return file->finish();
}

// Returns the title given, or else the name of the first folder.
std::string title_of(const ReportOptions& options) {
  if (!options.title.empty()) {
    return options.title;
  }
  const std::filesystem::path first = std::filesystem::absolute(options.inputs.front()).lexically_normal();
  return (first.filename().empty() ? first.parent_path() : first).filename().string();
}

Result<void> run_report(const ReportOptions& options, const Invocation& invocation) {
  for (const std::string& input : options.inputs) {
    if (options.output == "-") {
      break;
    }
    if (Result<void> writable = check_output_path("--output", options.output, input); !writable) {
      return writable;
    }
  }
  Result<page::Results> results = page::read_files(options.inputs);
  if (!results) {
    return propagate(results);
  }
  if (results->empty()) {
    return failed("{}: holds no results; {}", options.inputs.front(),
                  results->left_out.empty() ? "make some with `spillway sweep -o DIR` or --json FILE"
                                            : results->left_out.front());
  }
  page::FigureMaker figures(options.plots);
  Progress progress("drawing", page::most_sections(*results), Progress::Unit::steps);
  page::Page page =
      page::make_page(*results, title_of(options), "Results of Spillway, a storage-tiering laboratory.",
                      figures, [&](size_t done) { progress.at(done); });
  if (interrupted()) {
    return failed("interrupted before the page was whole; nothing was written");
  }
  page.colophon = fmt::format("Made {} by: {}", utc_date(), invocation.command_line);
  for (const page::Section& section : page.sections) {
    if (!section.no_figure.empty()) {
      note("spillway: not drawn: {}\n", printable(section.no_figure));
    }
  }
  for (const std::string& line : page.left_out) {
    note("spillway: left out: {}\n", printable(line));
  }
  return write_page(page, options.output);
}

}  // namespace

void add_report_command(Command app, Invocation& invocation) {
  auto options = std::make_shared<ReportOptions>();
  Command command =
      app.subcommand("report", "Show results as one page: questions, answers, plots and tables");
  command.footer(
      "The page needs no other file: it can be sent, opened offline and read on a phone.\n"
      "Its plots are drawn by Python and matplotlib; without these it has only the tables.\n"
      "Examples:\n"
      "  spillway report results/ -o report.html\n"
      "  spillway report gap.json curve.json timeline.json -o report.html");
  command
      .texts("results", options->inputs,
             "Files that --json and --timeline wrote, or folders with such files, as a sweep's")
      .required()
      .type_name("FILE|DIR");
  command.output("-o,--output", options->output, "The page to write; - writes to stdout")
      .required()
      .type_name("FILE");
  command.text("--title", options->title, "Title of the page (default: the folder's name)");
  command
      .text("--plots", options->plots,
            "Folder of the scripts that draw the plots (default: where they were installed)")
      .type_name("DIR");
  command.runs(invocation, [options, &invocation] { return run_report(*options, invocation); });
}

}  // namespace spillway
