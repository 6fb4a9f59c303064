[assembly: AssemblyFixture(typeof(AppUnderTest))]
