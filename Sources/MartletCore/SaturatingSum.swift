extension Sequence<Int> {
    /// The sum, as far as an `Int` holds it: numbers from outside must not end the process.
    public var saturatingSum: Int {
        reduce(0) { sum, number in
            let (next, overflow) = sum.addingReportingOverflow(number)
            guard overflow else { return next }
            return number > 0 ? .max : .min
        }
    }
}

extension Int {
    /// The product with another number that is not negative either, as far as an `Int` holds it.
    public func saturatingProduct(_ other: Int) -> Int {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }
}
