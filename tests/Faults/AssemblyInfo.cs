[assembly: AssemblyFixture(typeof(AppUnderTest))]
// Tests run one after the other, because each breaks something that all of them use.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
