#include <gtest/gtest.h>

#include "app/report/traits.h"
#include "core/json.h"

namespace spillway {
namespace {

Json report_of(const char* evict, const char* prefetch) {
  return {{"schema", "spillway.report/1"}, {"config", {{"evict", evict}, {"prefetch", prefetch}}}};
}

TEST(ReportTraits, AreReadAsTheyWereWritten) {
  const PolicyTraits written = {.evict = {.is_random = true},
                                .prefetch = {.does_nothing = true, .knows_future = true}};
  Json report = report_of("belady", "none");  // says otherwise, and is not asked
  report["traits"] = to_json(written);
  const PolicyTraits read = traits_of_report(report);
  EXPECT_TRUE(read.evict.is_random);
  EXPECT_FALSE(read.evict.knows_future);
  EXPECT_TRUE(read.prefetch.does_nothing);
  EXPECT_TRUE(read.prefetch.knows_future);
}

TEST(ReportTraits, OfAnOlderReportAreThoseOfThePoliciesThatItNames) {
  const PolicyTraits bound = traits_of_report(report_of("belady", "none"));
  EXPECT_TRUE(bound.evict.knows_future);
  EXPECT_TRUE(bound.prefetch.does_nothing);
  const PolicyTraits certain = traits_of_report(report_of("random", "oracle:precision=1,recall=1,ahead=2"));
  EXPECT_TRUE(certain.evict.is_random);
  EXPECT_TRUE(certain.prefetch.knows_future);
  EXPECT_FALSE(certain.prefetch.is_random);
  EXPECT_TRUE(traits_of_report(report_of("lru", "oracle:precision=0.5,recall=1,ahead=1")).prefetch.is_random);
}

TEST(ReportTraits, OfAnOlderCurvePointAreThoseOfItsPolicy) {
  EXPECT_TRUE(traits_of_curve_point({{"policy", "random"}}).is_random);
  EXPECT_FALSE(traits_of_curve_point({{"policy", "lru"}}).is_random);
  EXPECT_FALSE(traits_of_curve_point({{"policy", "random"}, {"traits", to_json(Traits())}}).is_random);
}

TEST(ReportTraits, AreNoneWhereTheDocumentMakesNoSense) {
  for (const char* text :
       {"null", "7", "[]", R"({"config": 3})", R"({"config": {"evict": 1, "prefetch": null}})",
        R"({"config": {"evict": "no-such-policy", "prefetch": "oracle:ahead="}})",
        R"({"traits": {"evict": {"is_random": "yes"}, "prefetch": {"knows_future": 1}}})"}) {
    const PolicyTraits traits = traits_of_report(Json::parse(text));
    for (const Traits& one : {traits.evict, traits.prefetch}) {
      EXPECT_FALSE(one.does_nothing || one.is_random || one.knows_future) << text;
    }
  }
}

}  // namespace
}  // namespace spillway
