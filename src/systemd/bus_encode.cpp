// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/bus_encode.hpp"

namespace guestd::bus {
namespace {

void identity(Dict& dict, const std::string& uri, const Uuid& uuid) {
    dict.text("uri", uri);
    dict.text("uuid", uuid.str());
}

void wall_time(Dict& dict, const char* key, WallTime time) {
    if (time != WallTime{})
        dict.number(key, static_cast<std::uint64_t>(time.time_since_epoch().count()));
}

void optional_time(Dict& dict, const char* key, const std::optional<TimePoint>& time) {
    if (time && *time != kNever)
        dict.time(key, *time);
}

void optional_text(Dict& dict, const char* key, const std::string& text) {
    if (!text.empty())
        dict.text(key, text);
}

}  // namespace

void encode(sd_bus_message* message, const GuestView& view) {
    Dict dict{message};
    identity(dict, view.uri, view.uuid);
    dict.text("name", view.name);
    dict.text("state", to_string(view.state));
    dict.flag("persistent", view.persistent);
    dict.flag("autostart", view.autostart);
    dict.flag("managed_save", view.managed_save);
    dict.flag("has_agent", view.has_agent);
    if (view.memory.count > 0)
        dict.bytes("memory", view.memory);
    if (view.run == 0)
        return;
    dict.count("run", view.run);
    optional_text(dict, "phase", view.phase);
    optional_time(dict, "since_usec", view.since);
    optional_time(dict, "step_deadline_usec", view.step_deadline);
    dict.count("attempts", view.attempts);
    optional_text(dict, "held_for", view.held_for);
    optional_text(dict, "answer", view.answer);
    if (view.bytes_done.count > 0 || view.bytes_total.count > 0) {
        dict.bytes("bytes_done", view.bytes_done);
        dict.bytes("bytes_total", view.bytes_total);
    }
    dict.text("outcome", to_string(view.outcome));
    optional_text(dict, "cause", view.cause);
}

void encode(sd_bus_message* message, const MetadataView& view) {
    Dict dict{message};
    identity(dict, view.uri, view.uuid);
    dict.text("metadata", view.metadata);
}

void encode(sd_bus_message* message, const UriView& view) {
    Dict dict{message};
    dict.text("uri", view.uri);
    dict.flag("connected", view.connected);
    optional_time(dict, "since_usec", view.since);
    optional_text(dict, "reason", view.reason);
    dict.count("attempts", view.attempts);
    dict.count("guests", view.guests);
    dict.count("running", view.running);
}

void encode(sd_bus_message* message, const RunView& view) {
    const RunRecord& run = view.record;
    Dict dict{message};
    dict.count("run", run.id);
    dict.text("kind", to_string(run.kind));
    dict.text("trigger", to_string(run.trigger));
    dict.text("state", to_string(run.state));
    dict.text("boot_id", run.boot_id);
    dict.time("started_usec", run.started);
    optional_time(dict, "deadline_usec", run.deadline);
    optional_time(dict, "ended_usec", run.ended);
    wall_time(dict, "started_wall_usec", run.started_wall);
    if (run.ended)
        dict.flag("clean", run.clean);
    if (!run.selection.empty())
        dict.texts("selection", run.selection);
    dict.count("guests", view.guests);
    dict.count("done", view.done);
    dict.count("unclean", view.unclean);
}

void encode(sd_bus_message* message, const RunGuestRecord& record) {
    Dict dict{message};
    dict.count("run", record.run);
    identity(dict, record.uri, record.uuid);
    dict.text("name", record.name);
    dict.text("outcome", to_string(record.outcome));
    dict.flag("clean", is_clean(record.outcome));
    optional_text(dict, "cause", record.cause);
    optional_time(dict, "started_usec", record.started);
    optional_time(dict, "ended_usec", record.ended);
    if (record.bytes.count > 0)
        dict.bytes("bytes", record.bytes);
}

void encode(sd_bus_message* message, const SpanRecord& record) {
    Dict dict{message};
    dict.count("run", record.run);
    identity(dict, record.uri, record.uuid);
    dict.text("what", record.what);
    dict.time("begin_usec", record.begin);
    optional_time(dict, "end_usec", record.end);
    optional_text(dict, "note", record.note);
}

void encode(sd_bus_message* message, const ResumeEntry& entry) {
    Dict dict{message};
    identity(dict, entry.uri, entry.uuid);
    dict.text("name", entry.name);
    dict.flag("was_paused", entry.was_paused);
    dict.flag("transient", entry.transient);
    dict.flag("expect_restore", entry.expect_restore);
    dict.count("run", entry.run);
    wall_time(dict, "since_wall_usec", entry.since);
    optional_text(dict, "last_error", entry.last_error);
}

void encode(sd_bus_message* message, const SettingView& view) {
    Dict dict{message};
    dict.text("key", view.key);
    dict.text("value", view.value);
    dict.text("origin", view.origin);
}

void encode(sd_bus_message* message, const ProgressView& view) {
    Dict dict{message};
    const auto run = [&](sd_bus_message* into) { encode(into, view.run); };
    dict.nested("run", "a{sv}", run);
    dict.time("now_usec", view.now);
    dict.bytes("bytes_done", view.bytes_done);
    dict.bytes("bytes_total", view.bytes_total);
    dict.count("active_total", view.active_total);
    dict.nested("active", "aa{sv}",
                [&](sd_bus_message* into) { encode<GuestView>(into, view.active); });
}

void encode(sd_bus_message* message, const StatusView& view,
            const std::optional<ProgressView>& progress) {
    Dict dict{message};
    dict.text("version", view.version);
    dict.text("degraded", view.degraded);
    dict.text("boot_id", view.boot_id);
    dict.time("now_usec", view.now);
    const auto run = [&](const char* key, const std::optional<RunView>& of) {
        if (of)
            dict.nested(key, "a{sv}", [&](sd_bus_message* into) { encode(into, *of); });
    };
    run("active_run", view.active_run);
    run("last_run", view.last_run);
    if (progress)
        dict.nested("progress", "a{sv}", [&](sd_bus_message* into) { encode(into, *progress); });
    dict.count("guests", view.guests);
    dict.count("running", view.running);
    dict.count("resume_entries", view.resume_entries);
    dict.texts("config_files", view.config_files);
    dict.texts("warnings", view.warnings);
}

}  // namespace guestd::bus
