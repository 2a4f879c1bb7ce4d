import Foundation
import MartletCore
import NIOCore
import Testing

@testable import MartletTransport

@Suite("Faults of the gateway's own machine")
struct LocalFaultTests {
    private func error(_ code: CInt) -> IOError { IOError(errnoCode: code, reason: "socket") }

    @Test func whatOnlyThisMachineCanLack_isItsFault() {
        let own: [(CInt, LocalFault)] = [
            (EMFILE, .openFiles), (ENFILE, .openFilesOfMachine), (ENOBUFS, .memory),
            (ENOMEM, .memory), (EADDRNOTAVAIL, .ports),
        ]
        for (code, fault) in own {
            #expect(LocalFault(error(code)) == fault)
            #expect(ForwardingFailure(connecting: error(code)) == .localFault(fault))
            let told = ServingError(.unavailable, "Cannot connect to a:1", cause: error(code))
            #expect(LocalFault(told) == fault)
        }
        #expect(Set(own.map(\.1)) == Set(LocalFault.allCases))
    }

    @Test func whatAnotherMachineDoes_isNot() {
        for code in [ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ECONNRESET] {
            #expect(LocalFault(error(code)) == nil)
            #expect(ForwardingFailure(connecting: error(code)) == .connectFailed)
        }
        #expect(LocalFault(ServingError(.deadlineExceeded, "No answer")) == nil)
        #expect(LocalFault(CancellationError()) == nil)
        #expect(ForwardingFailure(connecting: nil) == .connectFailed)
    }

    /// A machine without IPv6 has no address for that, which says nothing of the others.
    @Test func hostOfSeveralAddresses_isUnreachableByThisMachinesFault_whereAllAre() {
        #expect(LocalFault(all: [error(EMFILE), error(EMFILE)]) == .openFiles)
        #expect(LocalFault(all: [error(EADDRNOTAVAIL), error(ECONNREFUSED)]) == nil)
        #expect(LocalFault(all: []) == nil)
    }

    @Test func requestThatCannotBeSent_isToldTheRemedy() {
        let policy = FixedPolicy(
            [1], plan: ForwardingPlan(isIdempotent: true, holdsResponse: false),
            isEncrypted: false)
        let client = NotingClient()
        let exchange = Exchange(client: client, policy: policy)
        let error = exchange.error(for: .localFault(.openFiles))
        #expect(error.code == .unavailable)
        #expect(error.message.contains("raise the limit of open files"))
        exchange.receiveHead(isEnd: true) { _ in "head" }
        exchange.start()
        exchange.failed(.localFault(.openFiles), attempt: 1)
        #expect(policy.outcomes.map(\.httpStatus) == [503])
        #expect(policy.ended == [.failed(.localFault(.openFiles))])
    }
}
