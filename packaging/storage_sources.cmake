# Lists the sources that need Linux, and those that depend on them, as a regular expression for their
# paths. A build with SPILLWAY_STORAGE=OFF has all other sources. host/linux/proc_text is one of them,
# since it only parses text.
string(JOIN "|" SPILLWAY_STORAGE_SOURCES
  "/backends/"
  "/host/linux/(cgroup|cpu_share|device_bytes|page_cache|page_memory|peak_memory|process_limits)[.]cc"
  "/stores/(pack_store|partial_file|scratch_store|stand_in|store_use)[.]cc"
  "/app/calibrate/"
  "/app/gap/"
  "/app/stores/"
  "/app/commands/(cache|calibrate|gap|pack|perplexity|record|replay)[.]cc"
  "/app/pack/(coactivation|pack_model)[.]cc"
  "/app/report/storage_facts[.]cc"
  "/app/run/(feeds|live_model|live_run|perplexity|recording|replay|rig|store_plan)[.]cc")
