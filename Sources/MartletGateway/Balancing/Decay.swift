internal import Foundation

extension Duration {
    /// What is left, after this time, of something that fades to 1/e within `timeConstant`: from 1,
    /// for no time or less, towards 0.
    func decay(within timeConstant: Duration) -> Double {
        guard self > .zero else { return 1 }
        guard timeConstant > .zero else { return 0 }
        return exp(-(self / timeConstant))
    }
}
