#include <algorithm>

#include "app/page/sections.h"
#include "app/page/wording.h"

namespace spillway::page {

Page make_page(const Results& results, const std::string& title, const std::string& about,
               FigureMaker& figures, FunctionRef<void(size_t done)> tell) {
  Page page;
  page.title = title;
  page.about = about;
  for (const Sweep& sweep : results.sweeps) {
    if (const std::optional<std::string> reason = why_unanswered(sweep)) {
      page.unanswered.push_back(*reason);
    } else {
      page.sections.push_back(sweep_section(sweep, figures));
      tell(page.sections.size());
    }
  }
  if (!results.runs.empty()) {
    page.sections.push_back(runs_section(results.runs, figures));
    tell(page.sections.size());
  }
  for (const RunResult& run : results.runs) {
    if (run.gap) {
      page.sections.push_back(gap_section(run, figures));
      tell(page.sections.size());
    }
  }
  for (const TimelineResult& timeline : results.timelines) {
    page.sections.push_back(timeline_section(timeline, figures));
    tell(page.sections.size());
  }
  for (const CurveResult& curve : results.curves) {
    page.sections.push_back(curve_section(curve, figures));
    tell(page.sections.size());
  }
  for (const auto& [path, profile] : results.devices) {
    page.sections.push_back(device_section(path, profile));
    tell(page.sections.size());
  }
  for (const PlanResult& plan : results.plans) {
    page.sections.push_back(plan_section(plan, figures));
    tell(page.sections.size());
  }
  for (size_t i = 0; i < page.sections.size(); ++i) {
    Section& section = page.sections[i];
    section.figure = section.figure.empty() ? "" : inline_svg(section.figure, fmt::format("f{}-", i + 1));
  }
  page.left_out = results.left_out;
  return page;
}

size_t most_sections(const Results& results) {
  return results.sweeps.size() + (results.runs.empty() ? 0 : 1) +
         size_t(std::count_if(results.runs.begin(), results.runs.end(),
                              [](const RunResult& run) { return run.gap.has_value(); })) +
         results.timelines.size() + results.curves.size() + results.devices.size() + results.plans.size();
}

}  // namespace spillway::page
