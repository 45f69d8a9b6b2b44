// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "ctl/context.hpp"

namespace guestd::ctl {
namespace {

/// Ten thousand guests with metadata of a kilobyte each.
constexpr std::size_t kLargestInput = std::size_t{16} * 1024 * 1024;

[[noreturn]] void refuse(const char* doing, const std::string& path, int error) {
    throw Stop{kExitFailure, std::string{"cannot "} + doing + " " + path + ": " + strerror(error)};
}

/// A file that is closed, and taken away again unless it was renamed.
class Draft {
public:
    explicit Draft(const std::string& path) : path_(path + ".XXXXXX") {
        fd_ = mkostemp(path_.data(), O_CLOEXEC);
        if (fd_ < 0)
            refuse("write", path, errno);
    }
    ~Draft() {
        close(fd_);
        if (!path_.empty())
            unlink(path_.c_str());
    }
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;

    void fill(const std::string& text) {
        for (std::size_t done = 0; done < text.size();) {
            const ssize_t count = write(fd_, text.data() + done, text.size() - done);
            if (count < 0 && errno != EINTR)
                refuse("write", path_, errno);
            done += count > 0 ? static_cast<std::size_t>(count) : 0;
        }
        constexpr mode_t kReadable = 0644;
        if (fchmod(fd_, kReadable) < 0 || fsync(fd_) < 0)
            refuse("write", path_, errno);
    }
    void become(const std::string& path) {
        if (std::rename(path_.c_str(), path.c_str()) < 0)
            refuse("replace", path, errno);
        path_.clear();
    }

private:
    std::string path_;
    int fd_ = -1;
};

}  // namespace

std::string read_input(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    if (!file)
        refuse("read", path, errno);
    std::string text(kLargestInput + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad())
        refuse("read", path, EIO);
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > kLargestInput)
        refuse("read", path, EFBIG);
    return text;
}

void write_output(const std::string& path, const std::string& text) {
    if (path.empty() || path == "-")
        return print(text);
    std::ofstream file{path, std::ios::binary};
    file << text;
    file.close();
    if (!file)
        throw Stop{kExitFailure, "cannot write " + path};
}

void replace_file(const std::string& path, const std::string& text) {
    Draft draft{path};
    draft.fill(text);
    draft.become(path);
}

}  // namespace guestd::ctl
