// SPDX-License-Identifier: LGPL-2.1-or-later
#include "store/opening.hpp"

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <ctime>
#include <fstream>

#include "store/rows.hpp"
#include "store/schema.hpp"

namespace guestd::store {
namespace {

namespace fs = std::filesystem;

/// The file is there and cannot be trusted.
class Untrusted : public std::runtime_error {
public:
    Untrusted(std::string kind, const std::string& why)
        : std::runtime_error(why), kind_(std::move(kind)) {}
    /// "damaged" or "newer".
    const std::string& kind() const { return kind_; }

private:
    std::string kind_;
};

void require_ok(Database& db, const std::string& check) {
    auto verdict = db.prepare("PRAGMA " + check);
    const std::string text = verdict.next() ? verdict.text() : "no answer to the integrity check";
    if (text != "ok")
        throw Untrusted{"damaged", text};
}

/// The structure of everything; of the rows that decide over guests each value too, against the
/// copies in their indexes. All of history that way would take seconds of a boot.
void require_whole(Database& db) {
    require_ok(db, "quick_check(1)");
    if (db.number("PRAGMA user_version") == 0)
        return;  // nothing was ever written
    require_ok(db, "integrity_check(resume)");
    require_ok(db, "integrity_check(run)");
}

void require_known_version(Database& db) {
    const auto version = db.number("PRAGMA user_version");
    if (version < 0)
        throw Untrusted{"damaged", "impossible schema version"};
    if (version > schema_version())
        throw Untrusted{"newer", "schema version " + std::to_string(version) +
                                     ", this guestd knows up to " +
                                     std::to_string(schema_version())};
}

void load(Database& db, const std::string& boot_id, Opening& out) {
    unsigned skipped = 0;
    out.restored = read_restored(db, boot_id, skipped);
    out.config = read_config(db);
    if (skipped > 0)
        out.remarks.push_back(std::string{kFileName} + ": " + std::to_string(skipped) +
                              " rows make no sense and were left out");
}

/// Shows at the start, and not in the middle of a shutdown, that the disk takes no writes.
void probe_write(Database& db, const std::string& boot_id, Opening& out) {
    try {
        Transaction transaction{db};
        db.prepare("INSERT OR REPLACE INTO kept_text(key, value) VALUES('opened_by_boot', ?)")
            .bind(std::string_view{boot_id})
            .run();
        transaction.commit();
    } catch (const SqliteError& error) {
        if (error.means_damage())
            throw;
        out.why_not = error.what();
        out.remarks.push_back(std::string{kFileName} + " cannot be written: " + error.what());
    }
}

std::string date_stamp() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H-%M-%SZ", &parts);
    return text.data();
}

/// The first free name; two damaged files can have the same second.
fs::path aside_name(const fs::path& file, const std::string& kind) {
    const std::string base = file.string() + "." + kind + "-" + date_stamp();
    fs::path name = base;
    for (int copy = 2; fs::exists(name); ++copy)
        name = base + "." + std::to_string(copy);
    return name;
}

std::unique_ptr<Database> prepare(const fs::path& file) {
    // Guest names and configuration are nobody else's business.
    if (!fs::exists(file.parent_path()) && fs::create_directories(file.parent_path()))
        fs::permissions(file.parent_path(), fs::perms::owner_all);
    auto db = std::make_unique<Database>(file, OpenMode::write);
    if (db->is_read_only())
        throw SqliteError{SQLITE_READONLY, "the file cannot be written"};
    ::chmod(file.c_str(), 0600);
    require_known_version(*db);
    db->limit_cache();
    require_whole(*db);
    db->run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    return db;
}

std::unique_ptr<Database> reopen(const fs::path& file) {
    auto db = prepare(file);
    migrate(*db);
    return db;
}

using Word = std::array<char, 4>;

template <std::size_t count>
std::array<Word, count> words_at(std::istream& in, std::uint64_t at) {
    std::array<Word, count> words{};
    in.seekg(static_cast<std::streamoff>(at));
    for (auto& word : words)
        in.read(word.data(), word.size());
    return words;
}

/// SQLite reads its log as far as the checksums are right, and takes the rest for a transaction
/// that was not finished. It was, if a frame there says that it ends one: the process that wrote it
/// may have been killed, but writes frames in their order, and that one last.
bool is_cut_short(Database& db, const fs::path& log) {
    constexpr std::uint64_t kHead = 32;       // of the log: magic number, …, salts, checksum
    constexpr std::uint64_t kFrameHead = 24;  // page number, pages of the file or 0, salts, …
    constexpr std::string_view kMagic = "7\x7f\x06";
    const auto taken = db.frames_in_log();
    std::error_code none;
    const auto size = fs::file_size(log, none);
    if (!taken || none)
        return false;
    const auto frame = kFrameHead + static_cast<std::uint64_t>(db.number("PRAGMA page_size"));
    std::ifstream in{log, std::ios::binary};
    const auto head = words_at<6>(in, 0);
    const bool has_head = std::string_view{head[0].data(), kMagic.size()} == kMagic;
    for (auto at = kHead + *taken * frame; at + frame <= size; at += frame) {
        const auto [pages, salt_1, salt_2] = words_at<3>(in, at + sizeof(Word));
        // A log that begins anew, over the old one, changes both salts; a flipped bit one of them.
        const bool older = has_head && salt_1 != head[4] && salt_2 != head[5];
        if (pages != Word{} && !older)
            return true;
    }
    return false;
}

/// Before anything is written: SQLite writes over what it did not take.
void look_at_log(Database& db, const fs::path& file, Opening& out) {
    const fs::path log = file.string() + "-wal";
    if (!is_cut_short(db, log))
        return;
    const auto copy = aside_name(log, "damaged");
    std::error_code failed;
    fs::copy_file(log, copy, failed);
    out.remarks.push_back(log.filename().string() +
                          " was damaged: what was stored last before guestd was killed, guests of "
                          "the resume list too, may be missing" +
                          (failed ? "" : "; kept as " + copy.filename().string()));
}

void open_for_writing(const fs::path& file, const std::string& boot_id, Opening& out) {
    std::error_code ignored;
    if (fs::exists(file, ignored) && fs::file_size(file, ignored) == 0)
        throw Untrusted{"damaged", "the file is empty"};
    auto db = prepare(file);
    look_at_log(*db, file, out);
    db->empty_log();  // so that the next start, after another kill, does not find the same in it
    migrate(*db);
    load(*db, boot_id, out);
    probe_write(*db, boot_id, out);
    out.db = std::move(db);
}

/// SQLite's verdicts, sorted into "not to be trusted" (thrown as such) and the rest (rethrown).
void open_checked(const fs::path& file, const std::string& boot_id, Opening& out) {
    try {
        open_for_writing(file, boot_id, out);
    } catch (const SqliteError& error) {
        // SQLITE_ERROR: a table or a column is missing, so this is no file of ours. SQLITE_NOMEM:
        // SQLite says so of some damaged schemas.
        if (error.means_damage() || error.code() == SQLITE_ERROR || error.code() == SQLITE_NOMEM)
            throw Untrusted{"damaged", error.what()};
        throw;
    }
}

/// The log goes first: after a crash in between, the database is still there to be set aside.
fs::path set_aside(const fs::path& file, const std::string& kind) {
    fs::path aside = aside_name(file, kind);
    for (const char* part : {"-wal", "-shm"})
        if (fs::exists(file.string() + part))
            fs::rename(file.string() + part, aside.string() + part);
    fs::rename(file, aside);
    return aside;
}

Salvage salvage_file(const fs::path& file) noexcept {
    for (const auto mode : {OpenMode::read, OpenMode::immutable}) {
        try {
            Database db{file, mode};
            // SQLite reads nothing of a file that is shorter than its header says, but for this: it
            // is what sqlite3's own .recover does. Nothing is written.
            db.run("PRAGMA writable_schema = ON");
            db.number("SELECT count(*) FROM sqlite_schema");
            return salvage(db);
        } catch (const std::exception&) {
            // The other mode, or nothing.
        }
    }
    return {};
}

void refill(Database& db, const Salvage& found) {
    Transaction transaction{db};
    for (auto run = found.runs.rbegin(); run != found.runs.rend(); ++run)
        apply(db, StoreRunEnd{.run = *run});
    for (const auto& guest : found.guests)
        apply(db, StoreGuest{guest});
    apply(db, StoreEntries{.entries = found.entries});
    if (found.config)
        apply(db, KeepConfig{*found.config});
    transaction.commit();
}

std::string describe(const Salvage& found) {
    return std::to_string(found.entries.size()) + " resume entries and " +
           std::to_string(found.runs.size()) + " runs of it could still be read";
}

void start_anew(const fs::path& file, const std::string& boot_id, const Untrusted& reason,
                Opening& out) {
    out = Opening{};
    const std::string what = file.string() + " was " + reason.kind() + " (" + reason.what() + ")";
    const Salvage found = salvage_file(file);
    out.restored.resume_list = found.entries;
    try {
        const fs::path aside = set_aside(file, reason.kind());
        out.remarks.push_back(what + "; set aside as " + aside.filename().string() +
                              ", starting with a new one; " + describe(found));
        open_checked(file, boot_id, out);
        refill(*out.db, found);
        load(*out.db, boot_id, out);
    } catch (const std::exception& error) {
        out.why_not = what + ", and no new one could be made: " + error.what();
        out.remarks.push_back(out.why_not);
    }
}

void read_only(const fs::path& file, const std::string& boot_id, const SqliteError& reason,
               Opening& out) {
    out = Opening{};
    out.why_not = reason.what();
    out.reopen = [file] { return reopen(file); };
    for (const auto mode : {OpenMode::read, OpenMode::immutable}) {
        try {
            Database db{file, mode};
            require_known_version(db);
            require_whole(db);
            load(db, boot_id, out);
            out.remarks.push_back(file.string() + " can only be read: " + reason.what());
            return;
        } catch (const std::exception&) {
            // The other mode, or nothing.
        }
    }
    const Salvage found = salvage_file(file);
    out.restored.resume_list = found.entries;
    out.remarks.push_back(file.string() + " can be neither written (" + reason.what() +
                          ") nor trusted; " + describe(found));
}

}  // namespace

Opening open_state(const fs::path& dir, const std::string& boot_id) {
    Opening out;
    const fs::path file = dir / kFileName;
    try {
        open_checked(file, boot_id, out);
    } catch (const Untrusted& reason) {
        // Without memory SQLite finds damage where there is none.
        if (has_memory())
            start_anew(file, boot_id, reason, out);
        else
            read_only(file, boot_id, {SQLITE_NOMEM, "there is no memory to look at it"}, out);
    } catch (const SqliteError& reason) {
        read_only(file, boot_id, reason, out);
    } catch (const std::exception& error) {
        out = Opening{};
        out.why_not = error.what();
        out.reopen = [file] { return reopen(file); };
        out.remarks.push_back("no state can be kept: " + out.why_not);
    }
    return out;
}

}  // namespace guestd::store
