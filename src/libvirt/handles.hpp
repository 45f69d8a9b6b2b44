// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Owners for libvirt's handles.
///
/// A handle belongs to the scope that made it. A virDomainPtr that libvirt passes to a callback is
/// only borrowed and must never be put into one of these. Closing a connection is a call to
/// libvirtd like any other: it may block, so owners live on threads that may block.

#include <libvirt/libvirt.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "guestd/types.hpp"

namespace guestd::libvirt {

template <auto Fn>
struct Deleter {
    template <class T>
    void operator()(T* handle) const noexcept {
        Fn(handle);
    }
};

using ConnectPtr = std::unique_ptr<virConnect, Deleter<virConnectClose>>;
using DomainPtr = std::unique_ptr<virDomain, Deleter<virDomainFree>>;
using TextPtr = std::unique_ptr<char, Deleter<::free>>;
using Domains = std::vector<DomainPtr>;

/// Typed parameters as the job statistics hand them out.
class TypedParameters {
public:
    TypedParameters() = default;
    ~TypedParameters() { virTypedParamsFree(params_, count_); }
    TypedParameters(const TypedParameters&) = delete;
    TypedParameters& operator=(const TypedParameters&) = delete;

    virTypedParameterPtr* params_out() { return &params_; }
    int* count_out() { return &count_; }

    std::optional<std::uint64_t> find(const char* field) const {
        unsigned long long value = 0;
        return virTypedParamsGetULLong(params_, count_, field, &value) == 1
                   ? std::optional<std::uint64_t>{value}
                   : std::nullopt;
    }
    /// Zero where the driver does not tell.
    std::uint64_t number(const char* field) const { return find(field).value_or(0); }
    int integer(const char* field, int otherwise) const {
        int value = otherwise;
        return virTypedParamsGetInt(params_, count_, field, &value) == 1 ? value : otherwise;
    }

private:
    virTypedParameterPtr params_ = nullptr;
    int count_ = 0;
};

/// No call to libvirtd; all zero for a handle without one, which libvirt never makes.
inline Uuid uuid_of(virDomainPtr domain) {
    Uuid::Raw raw{};
    virDomainGetUUID(domain, raw.data());
    return Uuid{raw};
}

}  // namespace guestd::libvirt
