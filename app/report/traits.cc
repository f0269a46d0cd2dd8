#include "app/report/traits.h"

#include "core/json.h"
#include "policies/list.h"

namespace spillway {
namespace {

Json at(const Json& json, const char* key) {
  return json.is_object() ? json.value(key, Json()) : Json();
}

// Returns the traits `told` in a document or, if they are absent, those of the member `spec` of `family`.
template <class List>
Traits traits_of(const Json& told, const List& family, const Json& spec) {
  if (told.is_object()) {
    const auto is = [&](const char* key) { return at(told, key) == Json(true); };
    return {
        .does_nothing = is("does_nothing"), .is_random = is("is_random"), .knows_future = is("knows_future")};
  }
  if (!spec.is_string()) {
    return {};
  }
  const auto chosen = family.choose(spec.get<std::string>());
  return chosen ? chosen->traits : Traits();
}

}  // namespace

Json to_json(const Traits& traits) {
  return {{"does_nothing", traits.does_nothing},
          {"is_random", traits.is_random},
          {"knows_future", traits.knows_future}};
}

Json to_json(const PolicyTraits& traits) {
  return {{"evict", to_json(traits.evict)}, {"prefetch", to_json(traits.prefetch)}};
}

PolicyTraits traits_of_report(const Json& report) {
  const Json told = at(report, "traits");
  const Json config = at(report, "config");
  return {traits_of(at(told, "evict"), eviction_policies(), at(config, "evict")),
          traits_of(at(told, "prefetch"), prefetchers(), at(config, "prefetch"))};
}

Traits traits_of_curve_point(const Json& point) {
  return traits_of(at(point, "traits"), eviction_policies(), at(point, "policy"));
}

}  // namespace spillway
