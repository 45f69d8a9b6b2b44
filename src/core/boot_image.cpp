// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a guest is restored from. An image is only good with the disks as they were when it was
// made: restoring it over disks that somebody has written to since destroys what is on them, and
// libvirt does not look. So each image is looked at before it is used, and one that cannot be used
// is kept, unless the policy wants the guest up at that price.
#include <utility>

#include "core/boot_run.hpp"

namespace guestd::core {
namespace {

/// Lines of `now` that are not in `then`: what has been changed.
std::string changed_lines(const std::string& then, const std::string& now) {
    std::set<std::string> known;
    const auto each_line = [](const std::string& text, auto&& visit) {
        for (std::size_t begin = 0; begin < text.size();) {
            const auto end = std::min(text.find('\n', begin), text.size());
            visit(text.substr(begin, end - begin));
            begin = end + 1;
        }
    };
    each_line(then, [&](std::string line) { known.insert(std::move(line)); });
    std::string changed;
    each_line(now, [&](const std::string& line) {
        if (!known.contains(line))
            changed += (changed.empty() ? "" : ", ") + line;
    });
    return changed.empty() ? "one of them is gone" : "now: " + changed;
}

std::string joined(const std::vector<std::string>& texts) {
    std::string all;
    for (const auto& text : texts)
        all += (all.empty() ? "" : "; ") + text;
    return all;
}

}  // namespace

void BootRun::image_seen(Context& ctx, BootTask& task, const CallReturned& event) {
    if (event.status == CallStatus::unknown)
        return rest(ctx, task, kUnknownRetry, "libvirt to answer again");
    if (!event.missing.empty())
        return wait_for_disks(ctx, task, event.missing, "disks are missing");
    const auto* entry = ctx.resume.find(ctx.uri_text(task.id.uri), task.id.uuid);
    // Who knows what the disks must be like does not restore without having looked.
    if (event.status != CallStatus::done && entry != nullptr && !entry->disk_identity.empty())
        return start_failed(ctx, task, event);
    if (event.image && stopped_by_image(ctx, task, *event.image))
        return;
    call_start(ctx, task);
}

/// True when the guest must not be started.
bool BootRun::stopped_by_image(Context& ctx, BootTask& task, const SavedImage& image) {
    if (image.partial) {
        task.cold_cause = "its save was cut short: it booted cold";
        return false;
    }
    const auto* entry = ctx.resume.find(ctx.uri_text(task.id.uri), task.id.uuid);
    const bool changed = entry != nullptr && !entry->disk_identity.empty() &&
                         !image.identity.empty() && entry->disk_identity != image.identity;
    if (changed) {
        const auto why = "its disks or its saved image have been changed since it was saved (" +
                         changed_lines(entry->disk_identity, image.identity) + ")";
        if (task.policy.restore_failure == RestoreFailure::cold_boot) {
            task.force_boot = true;
            task.cold_cause = why + ": its image was set aside, and it booted cold";
            return false;
        }
        note_error(ctx, task, why);
        finish(ctx, task, Outcome::failed,
               why +
                   ": restoring it would destroy what is on them. Drop the image (virsh "
                   "managedsave-remove) and start the guest, or restore it all the same (virsh "
                   "start)");
        return true;
    }
    if (image.differences.empty())
        return false;
    const auto what =
        "its definition was changed while it was saved (" + joined(image.differences) + ")";
    if (task.policy.pending_config == PendingConfig::cold_boot) {
        task.force_boot = true;
        task.cold_cause = what + ": its image was set aside, and it booted cold with the new one";
    } else {
        remark(ctx, record_.id, &task, NoticeKind::remark,
               what + ": it goes on with what it had, until its next boot", true);
    }
    return false;
}

/// True when the guest is done with. An image that cannot be restored may be given up, once.
bool BootRun::out_of_tries(Context& ctx, BootTask& task, const std::string& why) {
    if (!task.had_image || task.force_boot) {
        finish(ctx, task, Outcome::failed, why);
        return true;
    }
    if (task.policy.restore_failure == RestoreFailure::hold) {
        finish(ctx, task, Outcome::failed, "it could not be restored, its image is kept: " + why);
        return true;
    }
    task.force_boot = true;
    task.failures = 0;
    task.cold_cause =
        "it could not be restored (" + why + "): its image was set aside, and it booted cold";
    return false;
}

}  // namespace guestd::core
